"""Published figures that a suite's own can be held against, each with its source, and where the protocols differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """What another system reached on the figure named, and where that is published."""

    figure: str
    system: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Beside:
    """The published figures of a suite, none where none is known, and in what the protocols differ."""

    rows: tuple[Published, ...]
    differs: str


HIPPORAG = "Gutiérrez et al. 2024, the corpora of HippoRAG"
MULTIHOP = "Tang and Yang 2024, arXiv 2401.15391"
WICE = "result_table.tex of github.com/ryokamoi/wice (Kamoi et al. 2023)"
BEIR = "Thakur et al. 2021, as listed by Papers with Code"

BESIDE: Mapping[str, Beside] = {
    "squad": Beside(
        (
            Published("SQuAD 2.0, overall F1", "BERT-base, trained on SQuAD 2.0", 0.768, "SQuAD 2.0 dev"),
            Published("SQuAD 2.0, overall F1", "MiniLM-L12, trained on SQuAD 2.0", 0.795, "SQuAD 2.0 dev, lowest"),
            Published("SQuAD 2.0, overall F1", "MiniLM-L12, trained on SQuAD 2.0", 0.817, "SQuAD 2.0 dev, highest"),
        ),
        "They were trained on SQuAD 2.0's training part and report all of dev; the reader here was not, its threshold"
        " comes from three articles at even places, and only the articles at odd places are reported.",
    ),
    "nq": Beside(
        (
            Published("NQ, Hit@1", "BM25", 0.769, "the same file, nq-open-oracle of Liu et al. 2024"),
            Published("NQ, MRR@10", "BM25", 0.834, "the same"),
            Published("NQ, nDCG@10", "BM25", 0.863, "the same"),
        ),
        "The corpus is the 2,655 gold passages and nothing else, so no figure of all of Wikipedia compares with it.",
    ),
    "hotpotqa": Beside(
        (Published("HotpotQA, Recall@5", "BM25", 0.785, HIPPORAG),),
        "100 of HotpotQA's questions over 994 passages; our ranking is of whole sources, each by its best passage.",
    ),
    "musique": Beside(
        (Published("MuSiQue, Recall@5", "BM25", 0.501, HIPPORAG),),
        "100 of MuSiQue's questions over 1,890 passages; our ranking is of whole sources, each by its best passage.",
    ),
    "clapnq": Beside(
        (), "The published task gives the gold passage and scores long answers by ROUGE and the like; here 600 passages"
        " are searched, and refusals and cited sentences are counted."
    ),
    "mtrag": Beside(
        (), "The published generation task gives each turn its passages and is scored by language models; here all"
        " passages are searched, and refusals and citations are counted."
    ),
    "beir": Beside(
        (
            Published("BEIR bioasq, nDCG@10", "BM25", 0.514, BEIR),
            Published("BEIR bioasq, nDCG@10", "BM25 + cross-encoder", 0.523, BEIR),
            Published("BEIR arguana, nDCG@10", "BM25 + cross-encoder", 0.311, BEIR),
            Published("BEIR climate-fever, nDCG@10", "BM25 + cross-encoder", 0.253, BEIR),
        ),
        "Documents are cut into passages and rank by the best of them; --limit draws questions, never documents."
        " Figures are known here for few of the data sets, and compare where the folder has the data set's name.",
    ),
    "multihop-rag": Beside(
        (
            Published("MultiHop-RAG, Hits@10", "best embedding with reranker", 0.7467, MULTIHOP),
            Published("MultiHop-RAG, Hits@4", "best embedding with reranker", 0.6625, MULTIHOP),
            Published("MultiHop-RAG, MRR@10", "best embedding with reranker", 0.5860, MULTIHOP),
            Published(
                "MultiHop-RAG, any shared word (the repository's scorer)", "GPT-4, retrieved passages", 0.56, MULTIHOP
            ),
            Published(
                "MultiHop-RAG, any shared word (the repository's scorer)", "GPT-4, gold evidence", 0.89, MULTIHOP
            ),
        ),
        "Their passages have 256 tokens and ours 200, cut at sentences; we give at most three passages of an article"
        " while others have some. Their accuracy counts any shared word, so exact match stands beside. A refusal"
        " counts as \"Insufficient information.\".",
    ),
    "ramdocs": Beside(
        (Published("RAMDocs, exact match", "Llama3.3-70B-Instruct, best of its baselines", 0.326, "arXiv 2504.13079"),),
        "There the answer is to leave misinformation out; here every position is shown with its source and none is"
        " picked silently, which exact match counts as wrong. Strings are compared as SQuAD does.",
    ),
    "wice": Beside(
        (
            Published("WiCE, F1 of supported", "T5-3B, ANLI", 0.618, WICE),
            Published("WiCE, F1 of supported", "T5-3B, ANLI and WiCE", 0.778, WICE),
            Published("WiCE, F1 of supported", "GPT-3.5", 0.393, WICE),
            Published("WiCE, F1 of supported", "GPT-4", 0.610, WICE),
            Published("WiCE, accuracy", "T5-3B, ANLI", 0.740, WICE),
            Published("WiCE, accuracy", "T5-3B, ANLI and WiCE", 0.880, WICE),
            Published("WiCE, accuracy", "GPT-3.5", 0.320, WICE),
            Published("WiCE, accuracy", "GPT-4", 0.770, WICE),
        ),
        "They report the test part on the repository's oracle chunks; here it is the dev part, and the chunks are made"
        " the same way with other fillers.",
    ),
    "bipia": Beside(
        (), "E-mails only, attacks at the end only; success is judged by the attack's own words in the answer, not by a"
        " language model."
    ),
}  # fmt: skip
"""By suite; a suite that is not here has no published figures known to us."""

UNKNOWN = Beside((), "")
