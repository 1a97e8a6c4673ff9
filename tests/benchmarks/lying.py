"""How many of a lying model's lies reach the answer, and how many true claims are withheld: a table of BENCHMARKS.md.

    python tests/benchmarks/lying.py [--split tune|test] [--seeds N] [--first SEED] [--show]

The model of `offline/lie` answers every gold question from the passages that are retrieved for it, over a fresh index
of the example articles: for each of the two sentences nearest to the question it says the sentence, and then the same
with one lie in it. A lie has reached the answer where it stands there as a claim; a true sentence is wrongly withheld
where it does not. A true sentence under a wrong id may stand there, if it is cited to the sentence that bears it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from eval.cases import Case, load_cases
from eval.intervals import mean_interval
from rag.answering import Answerer
from rag.backends.offline import Lying
from rag.check import Checker
from rag.generate import Generator
from rag.settings import Settings, load_settings
from rag.wiring import open_answerer, open_indexer

ROOT = Path(__file__).resolve().parents[2]
WITHHELD = "true, withheld"
WRONG_ID = "wrong id, cited wrongly"


def measured(answerer: Answerer, cases: list[Case], seed: int, show: bool) -> dict[str, list[float]]:
    """For each kind of lie whether each one reached the answer, and for each true claim whether it was withheld."""
    outcomes: dict[str, list[float]] = defaultdict(list)
    for place, case in enumerate(cases):
        model = Lying(seed * 10_000 + place)
        generator = Generator(model, Checker(answerer.verifier), max_tokens=800, history=0, flag=False)
        said = list(generator.say(case.question, answerer.search(case.question), ()))
        drafts = {each.text: each.draft for each in said if each.draft}
        reasons = {each.text: each.reason for each in said if not each.draft}
        for told in model.told:
            reached = told.text in drafts
            kind = told.lie or WITHHELD
            if told.lie == "wrong id":
                draft = drafts.get(told.text)
                bears = draft and any(told.truth in quote.hit.passage.text for p in draft.parts for quote in p.quotes)
                kind, reached = WRONG_ID, bool(draft) and not bears
            outcomes[kind].append(float(not reached if told.lie is None else reached))
            if show and (reached if told.lie else not reached):
                print(f"{kind}: {told.text}\n    {reasons.get(told.text, f'reached; the truth: {told.truth}')}")
    return outcomes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--split", choices=("tune", "test"), help="only these gold questions")
    parser.add_argument("--seeds", type=int, default=3, help="how often every question is asked, with other lies")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed")
    parser.add_argument("--show", action="store_true", help="print every lie that reached the answer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings: Settings = replace(load_settings(os.environ), index=folder)
        indexer = open_indexer(settings)
        indexer.run([ROOT / "seeds"], lambda _: None)
        indexer.close()
        cases = load_cases(ROOT / "eval" / "gold" / "seeds.jsonl", None)
        chosen = [case for case in cases if options.split in (None, case.split)]
        outcomes: dict[str, list[float]] = defaultdict(list)
        answerer = open_answerer(settings)
        for seed in range(options.first, options.first + options.seeds):
            for kind, values in measured(answerer, chosen, seed, options.show).items():
                outcomes[kind] += values
    outcomes["numbers and names together"] = outcomes["number"] + outcomes["name"]
    outcomes["added and negated together"] = outcomes["added"] + outcomes["negation"]
    for kind, values in outcomes.items():
        interval = mean_interval(values)
        print(f"{kind:28} {interval.value:6.1%} [{interval.low:.1%}, {interval.high:.1%}] of {interval.n}")


if __name__ == "__main__":
    main()
