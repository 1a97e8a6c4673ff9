"""Follow-ups rewritten by rules, beside what people made of them.

MTRAG (Katsis et al. 2025) has 777 questions of 110 conversations, TREC CAsT 2019 and 2020 (Dalton et al.) have 695 of
75. A follow-up lacks words that a person's rewrite of it has: a rewriter should bring back those, and add no others.
The files hold the questions without the answers between them, so the history is made of questions alone: a word that
only an answer said cannot be recovered, and counts as lacking all the same. The rules were tuned on CAsT, never on
MTRAG. Questions of one conversation lean on one another, so the intervals resample whole conversations.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.intervals import ratio_interval
from eval.suites.bench import Bench
from eval.suites.data import find, load_json, load_lines, shaped
from eval.suites.figures import Figure
from rag.converse import standalone
from rag.errors import BadInput
from rag.questions import STOP_WORDS, WORD, stem
from rag.records import Turn

MTRAG = ("clapnq", "cloud", "fiqa", "govt")
CAST_2019 = "cast/evaluation_topics_v1.0.json"
RESOLVED_2019 = "cast/evaluation_topics_annotated_resolved_v1.0.tsv"
CAST_2020 = "cast/2020_manual_evaluation_topics_v1.0.json"
SPEAKER = re.compile(r"^\|user\|: ?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question as it was asked, the questions before it, and what a person made of it."""

    conversation: str
    question: str
    before: tuple[str, ...]
    rewrite: str


@dataclass(frozen=True, slots=True)
class Words:
    """The content words, as stems, of a question as asked, as rules and as a person rewrote it, and of the history."""

    conversation: str
    asked: frozenset[str]
    ruled: frozenset[str]
    human: frozenset[str]
    history: frozenset[str]

    @property
    def lacking(self) -> frozenset[str]:
        """What the person's rewrite has and the question lacks."""
        return self.human - self.asked

    @property
    def added(self) -> frozenset[str]:
        """What the rules added to the question."""
        return self.ruled - self.asked


Counted = Callable[[Words], int]

# name, and what is counted over what; a figure that counts nothing is left out
RATIOS: tuple[tuple[str, Counted, Counted], ...] = (
    ("lacking words recovered", lambda w: len(w.lacking & w.added), lambda w: len(w.lacking)),
    ("lacking words that the history holds", lambda w: len(w.lacking & w.history), lambda w: len(w.lacking)),
    ("added words right", lambda w: len(w.lacking & w.added), lambda w: len(w.added)),
    ("all words recalled", lambda w: len(w.human & w.ruled), lambda w: len(w.human)),
    ("all words recalled, last turn only", lambda w: len(w.human & w.asked), lambda w: len(w.human)),
    ("all words right", lambda w: len(w.human & w.ruled), lambda w: len(w.ruled)),
    ("all words right, last turn only", lambda w: len(w.human & w.asked), lambda w: len(w.asked)),
    ("complete questions left alone", lambda w: not w.lacking and not w.added, lambda w: not w.lacking),
)


def measure(bench: Bench) -> list[Figure]:
    """The words that the rules bring back, per data set; CAsT is left out where its files are not there."""
    sets = {"MTRAG": load_mtrag(bench.data)}
    if (bench.data / "cast").is_dir():
        sets |= {"CAsT 2019": load_cast_2019(bench.data), "CAsT 2020": load_cast_2020(find(bench.data, CAST_2020))}
    figures = []
    for name, asked in sets.items():
        rows = [words_of(follow_up) for follow_up in bench.each(bench.some(asked), name)]
        figures += figures_of(name, rows)
    return figures


def words_of(follow_up: FollowUp) -> Words:
    """The words of a follow-up, rewritten with its history."""
    ruled = standalone(follow_up.question, [Turn(question, "") for question in follow_up.before])
    history = content(" ".join(follow_up.before))
    return Words(
        follow_up.conversation, content(follow_up.question), content(ruled), content(follow_up.rewrite), history
    )


def content(text: str) -> frozenset[str]:
    """The stems of the words that retrieval goes by: no stop words, each once."""
    plain = (re.sub(r"['’]s?$", "", word.lower()) for word in WORD.findall(text))
    return frozenset(stem(word) for word in plain if word not in STOP_WORDS)


def figures_of(name: str, rows: Sequence[Words]) -> list[Figure]:
    """The figures of a data set."""
    figures = []
    for what, part, whole in RATIOS:
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for row in rows:
            sums[row.conversation][0] += part(row)
            sums[row.conversation][1] += whole(row)
        parts, wholes = [p for p, _ in sums.values()], [w for _, w in sums.values()]
        if sum(wholes):
            interval = replace(ratio_interval(parts, wholes), n=sum(whole(row) > 0 for row in rows))
            figures.append(Figure.of(f"{name}, {what}", interval))
    return figures


def load_mtrag(data: Path) -> list[FollowUp]:
    """MTRAG's questions, each with those before it, as asked and as rewritten; collection by collection."""
    follow_ups = []
    for part in MTRAG:
        path = find(data, f"mtrag/{part}_questions.jsonl")
        rewrites = find(data, f"mtrag/{part}_rewrite.jsonl")
        asked, rewritten = load_lines(path), load_lines(rewrites)
        with shaped(rewrites):
            by_id = {row["_id"]: SPEAKER.sub("", row["text"]) for row in rewritten}
        with shaped(path):
            for row in asked:
                *before, question = SPEAKER.split(row["text"])[1:]
                conversation = row["_id"].partition("<::>")[0]
                earlier = tuple(turn.strip() for turn in before)
                follow_ups.append(FollowUp(conversation, question.strip(), earlier, by_id[row["_id"]].strip()))
    return follow_ups


def load_cast_2019(data: Path) -> list[FollowUp]:
    """The turns of the topics that people resolved, in their order."""
    path, resolved = find(data, CAST_2019), _table(find(data, RESOLVED_2019))
    topics = load_json(path)
    with shaped(path):
        return [
            follow_up
            for topic in topics
            for follow_up in _turns(
                str(topic["number"]),
                [(turn["raw_utterance"], resolved[f"{topic['number']}_{turn['number']}"]) for turn in topic["turn"]],
            )
        ]


def load_cast_2020(path: Path) -> list[FollowUp]:
    """The turns of all topics, in their order."""
    topics = load_json(path)
    with shaped(path):
        return [
            follow_up
            for topic in topics
            for follow_up in _turns(
                str(topic["number"]),
                [(turn["raw_utterance"], turn["manual_rewritten_utterance"]) for turn in topic["turn"]],
            )
        ]


def _turns(conversation: str, turns: Sequence[tuple[str, str]]) -> list[FollowUp]:
    asked = [question.strip() for question, _ in turns]
    return [
        FollowUp(conversation, asked[place], tuple(asked[:place]), rewrite.strip())
        for place, (_, rewrite) in enumerate(turns)
    ]


def _table(path: Path) -> dict[str, str]:
    """The two columns of a file of tab-separated values."""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
        return dict(line.split("\t", 1) for line in text.splitlines() if line.strip())
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", hint="Get the file again.") from error
