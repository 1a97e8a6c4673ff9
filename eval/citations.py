"""Whether the citations bear the claims, with the verifier as judge: ALCE's citation recall and precision.

Gao, Yen, Yu and Chen 2023, "Enabling Large Language Models to Generate Text with Citations", section 3. There the
judge is TRUE, a T5 of eleven billion parameters, and a citation is a passage of a hundred words; here the judge is the
project's own verifier and a citation is its quote, so that figures are not to be compared with the paper's. An answer
that copies sentences has both near 1 however wrong it is: they stand beside correctness always.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.records import Answer, Claim, Support

Verify = Callable[[Sequence[tuple[str, str]]], list[Support]]
"""For each (claim, evidence) how far the evidence bears the claim."""


@dataclass(frozen=True, slots=True)
class BorneOut:
    """Part and whole of the claims that their citations bear, and of the citations that help to bear their claim."""

    recall: tuple[int, int]
    precision: tuple[int, int]


def borne_out(answer: Answer, verify: Verify) -> BorneOut:
    """The claims that all their citations together bear, and the citations that are not idle.

    A citation is idle where its claim is not borne, or where it does not bear the claim by itself and the others do
    without it. Claim 1 is borne by [1] and [2], each of which bears it alone; claim 2 by nothing it cites, [3]: recall
    1 of 2, precision 2 of 3.
    """
    quotes = {citation.number: citation.quote for citation in answer.citations}
    borne = idle = 0
    for claim in answer.claims:
        cited = [quotes[number] for number in claim.citations]
        bears = bool(cited) and _bear(claim, [cited], verify)[0]
        borne += bears
        idle += _idle(claim, cited, verify) if bears else len(cited)
    cited_in_all = sum(len(claim.citations) for claim in answer.claims)
    return BorneOut((borne, len(answer.claims)), (cited_in_all - idle, cited_in_all))


def _idle(claim: Claim, cited: list[str], verify: Verify) -> int:
    """How many of the citations of a claim that they bear together neither bear it alone nor are needed."""
    if len(cited) == 1:
        return 0
    alone = _bear(claim, [[quote] for quote in cited], verify)
    without = _bear(claim, [cited[:place] + cited[place + 1 :] for place in range(len(cited))], verify)
    return sum(not by_itself and others for by_itself, others in zip(alone, without, strict=True))


def _bear(claim: Claim, evidence: list[list[str]], verify: Verify) -> list[bool]:
    supports = verify([(claim.text, " ".join(quotes)) for quotes in evidence])
    return [support.supported > max(support.contradicted, support.neither) for support in supports]
