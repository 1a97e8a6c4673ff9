"""How a short answer is held against gold answers: SQuAD's official way.

Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", section 6.1, and for questions
without an answer Rajpurkar, Jia and Liang 2018, "Know What You Don't Know"; both as in their evaluate-v2.0.py.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower case, without punctuation and articles, single blanks: `The "Big" Apple!` gives `big apple`."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(given: str, golds: Sequence[str]) -> bool:
    """Whether the answer is one of the gold answers, both normalised; no gold answer means that none is right."""
    return normalise(given) in {normalise(gold) for gold in _counting(golds)}


def best_f1(given: str, golds: Sequence[str]) -> float:
    """The F1 of the words against the gold answer that suits best; no gold answer means that an empty one is right.

    "in Paris, France" against "Paris" has precision 1/3 and recall 1, so 0.5.
    """
    return max(_f1(normalise(given).split(), normalise(gold).split()) for gold in _counting(golds))


def holds_answer(text: str, golds: Sequence[str]) -> bool:
    """Whether a gold answer stands in the text word by word, both normalised."""
    words = f" {normalise(text)} "
    return any(f" {normalise(gold)} " in words for gold in golds if normalise(gold))


def _counting(golds: Sequence[str]) -> list[str]:
    return [gold for gold in golds if normalise(gold)] or [""]


def _f1(given: list[str], gold: list[str]) -> float:
    if not given or not gold:
        return float(given == gold)
    same = sum((Counter(given) & Counter(gold)).values())
    return 2 * same / (len(given) + len(gold))
