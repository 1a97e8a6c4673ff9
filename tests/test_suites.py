"""The public benchmarks: small files in their formats, a real index, and engines whose every word is scripted."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.intervals import Interval
from eval.suites import claims, clapnq, multihop, neighbours, nq, squad
from eval.suites.bench import Bench, Engines
from eval.suites.clapnq import Agreement
from eval.suites.command import SUITES, main
from eval.suites.corpus import Text, indexed, ranked, widened
from eval.suites.data import evenly, find, load_lines
from eval.suites.figures import Figure, Measured, markdown_rows, merge_results, read_results
from eval.suites.spans import best_f1, exact_match, holds_answer, normalise
from eval.suites.squad import Article, Asked, Choice, Paragraph, Question
from rag.errors import BadInput
from rag.records import Answer, AnswerSpan, Citation, Hit, Passage, Reading, Support, Turn
from rag.settings import Settings
from rag.wiring import open_store
from tests.conftest import settings_for

# ---- scripted engines --------------------------------------------------------------------------


@dataclass(frozen=True)
class ScriptedReader:
    """Answers a question with its words where the passage holds them, at log-odds 2 and 1, else with nothing sure."""

    words: Mapping[str, str]

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        return [self._reading(passage, self.words.get(question, "?")) for passage in passages]

    def _reading(self, passage: str, words: str) -> Reading:
        start = passage.find(words)
        if start < 0:
            return Reading(-2.0, (AnswerSpan(0, 3, -1.0),))
        return Reading(2.0, (AnswerSpan(start, start + len(words), 1.0),))


class ScriptedVerifier:
    """Believes what the evidence holds word for word, and contradicts the rest as far as it is long."""

    def verify(self, pairs: Sequence[tuple[str, str]]) -> list[Support]:
        return [Support(0.9, 0.05, 0.05) if c in e else Support(0.1, 0.8, 0.1) for c, e in pairs]


class WordRetriever:
    """The full-text search of the real index alone."""

    def __init__(self, settings: Settings) -> None:
        self._top_k = settings.search.top_k

    def retrieve(self, question: str, snapshot: Any) -> list[Hit]:
        return multihop.best_by_words(snapshot, question, self._top_k)


@dataclass(frozen=True)
class ScriptedAnswerer:
    """Gives the answer of its script, with a citation of each text given, or refuses."""

    settings: Settings
    script: Mapping[str, tuple[str, tuple[str, ...]]]

    def ask(self, question: str, history: Sequence[Turn] = (), *, sources: Sequence[str] = ()) -> Answer:
        if question not in self.script:
            return Answer(question, "not_in_sources", "The sources do not say.")
        short, quotes = self.script[question]
        store = open_store(self.settings)
        texts = {source.name: store.source(source.name).text for source in store.sources()}
        citations = [
            Citation(1, name, None, None, None, text.find(quote), text.find(quote) + len(quote), 1, quote)
            for quote in quotes
            for name, text in texts.items()
            if quote in text
        ]
        return Answer(question, "answered", f"It is {short}.", short=short, citations=tuple(citations))

    def close(self) -> None:
        pass


def unused(_: Settings) -> Any:
    raise AssertionError("This engine is not measured here.")


NO_ENGINES = Engines(unused, unused, unused, unused)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench over empty folders, whose engines must not be used."""
    (tmp_path / "data").mkdir()
    return Bench(tmp_path / "data", tmp_path / "work", settings_for(tmp_path / "none"), NO_ENGINES)


def write(path: Path, value: object) -> None:
    """Write JSON, or JSON Lines where the name says so, packed where the name says so."""
    lines = value if ".jsonl" in path.name and isinstance(value, list) else [value]
    content = "".join(json.dumps(line) + "\n" for line in lines).encode("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def figures_by_name(figures: Sequence[Figure]) -> dict[str, float]:
    return {figure.name: figure.value for figure in figures}


# ---- a short answer against gold answers -------------------------------------------------------


def test_answers_are_normalised_as_squad_does() -> None:
    assert normalise('The "Big"  Apple, a city!') == "big apple city"
    assert exact_match("the Eiffel Tower.", ["Eiffel tower", "Paris"])
    assert not exact_match("Eiffel", ["Eiffel tower"])
    assert not exact_match("", ["Eiffel tower"])


@pytest.mark.parametrize(
    ("given_", "golds", "expected"),
    [
        pytest.param("in Paris, France", ["Paris"], 0.5, id="one word of three"),
        pytest.param("the Paris", ["London", "Paris"], 1.0, id="the gold answer that suits best"),
        pytest.param("", [], 1.0, id="nothing where there is no answer"),
        pytest.param("Paris", [], 0.0, id="something where there is no answer"),
        pytest.param("the", ["a", "Paris"], 0.0, id="a gold answer of articles only does not count"),
        pytest.param("a b b", ["b b c"], 2 * 2 / 5, id="words count as often as they stand in both"),
    ],
)
def test_f1_is_that_of_the_words(given_: str, golds: list[str], expected: float) -> None:
    assert best_f1(given_, golds) == pytest.approx(expected)


words = st.lists(st.sampled_from(["the", "big", "red", "apple", "Apple!", "7"]), max_size=5).map(" ".join)


@given(words, words)
def test_f1_is_symmetric_and_1_for_the_same_words(one: str, other: str) -> None:
    assert best_f1(one, [other]) == pytest.approx(best_f1(other, [one]))
    assert 0 <= best_f1(one, [other]) <= 1
    assert best_f1(one, [one]) == 1
    assert best_f1(one, [other, one]) == (1 if normalise(one) or not normalise(other) else 0)


@given(words, st.lists(words, max_size=3))
def test_an_exact_match_is_an_f1_of_1_and_is_held(answer: str, golds: list[str]) -> None:
    if exact_match(answer, golds):
        assert best_f1(answer, golds) == 1
        assert holds_answer(f"So: {answer}.", golds) == bool(normalise(answer))


def test_an_answer_is_held_word_by_word() -> None:
    assert holds_answer("It was in the year 1973.", ["1973"])
    assert not holds_answer("It was in 19731.", ["1973"])
    assert not holds_answer("Anything.", ["the", ""])


# ---- reading the files -------------------------------------------------------------------------


@given(st.lists(st.integers(), max_size=30), st.one_of(st.none(), st.integers(1, 40)))
def test_even_subsets_keep_order_and_number(items: list[int], most: int | None) -> None:
    places = evenly(range(len(items)), most)
    assert places == sorted(set(places))
    assert len(places) == min(len(items), most or len(items))
    gaps = {after - before for before, after in pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_files_are_read_packed_or_plain(tmp_path: Path) -> None:
    write(tmp_path / "a" / "packed.jsonl.gz", [{"x": 1}])
    write(tmp_path / "a" / "plain.jsonl", [{"x": 2}])
    assert load_lines(find(tmp_path, "a/packed.jsonl")) == [{"x": 1}]
    assert load_lines(find(tmp_path, "a/plain.jsonl")) == [{"x": 2}]


BROKEN: list[tuple[str, Callable[[Path], object]]] = [
    ("squad/dev-v2.0.json.gz", lambda data: squad.load_articles(find(data, squad.FILE))),
    ("nq_oracle/nq-open-oracle.jsonl.gz", lambda data: nq.load_questions(find(data, nq.FILE))),
    ("clapnq/clapnq_dev_answerable.jsonl.gz", lambda data: clapnq.load_questions(find(data, clapnq.ANSWERABLE))),
    ("fool_me_twice/test.jsonl.gz", lambda data: claims.load_fool_me_twice(find(data, claims.FOOL_ME_TWICE))),
]


CONTENTS = {  # mtime=0: the time of day must not reach a test's name, or two workers collect different tests
    "no gzip": b"no gzip",
    "no json": gzip.compress(b"no json", mtime=0),
    "no such row": gzip.compress(b'{"other": 1}\n', mtime=0),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize(("name", "load"), BROKEN)
def test_a_broken_file_is_named(name: str, load: Callable[[Path], object], content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=Path(name).name) as caught:
        load(tmp_path)
    assert caught.value.hint


# ---- SQuAD and its neighbours ------------------------------------------------------------------


def squad_file(data: Path) -> None:
    """Four articles, of which those at places 1 and 3 are reported; nobody knows where elk, bat and fox are."""

    def paragraph(text: str, **answers: str) -> dict[str, Any]:
        rows = [{"question": f"Where is the {q}?", "answers": [{"text": a}] if a else []} for q, a in answers.items()]
        return {"context": text, "qas": rows}

    tuning = {"title": "T", "paragraphs": [paragraph("The owl is in the tree.", owl="in the tree", elk="")]}
    one = [
        paragraph("The cat is on the mat.", cat="on the mat", bat=""),
        paragraph("The cat has a red bowl on the sill.", bowl="on the sill"),
        paragraph("Nothing of that kind."),
    ]
    two = [paragraph("The dog is in a kennel.", dog="kennel", fox=""), paragraph("Where the dog is not.")]
    articles = [tuning, {"title": "A", "paragraphs": one}, tuning, {"title": "B", "paragraphs": two}]
    write(data / "squad" / "dev-v2.0.json.gz", {"version": "v2.0", "data": articles})


READER = ScriptedReader(
    {
        "Where is the owl?": "tree",
        "Where is the cat?": "on the mat",
        "Where is the bowl?": "red bowl",
        "Where is the dog?": "in a kennel",
        "Where is the fox?": "a kennel",
    }
)


def test_squad_reports_the_odd_places_and_tunes_on_others(bench: Bench) -> None:
    squad_file(bench.data)
    bench = replace(bench, engines=replace(NO_ENGINES, reader=lambda _: READER))
    # "tree" of "in the tree" has 2 words of normalised 1 and 2: F1 2/3; "elk" is refused rightly.
    assert squad.chosen(bench) == Choice("answerable", 2.0, pytest.approx((2 / 3 + 1) / 2))
    figures = figures_by_name(squad.measure(bench))
    # cat 1, bowl 0, dog 2/3; bat refused rightly, fox answered wrongly; 3 answerable against a tie and one below.
    assert figures == {
        "SQuAD 2.0, answerable F1": pytest.approx((1 + 0 + 2 / 3) / 3),
        "SQuAD 2.0, overall F1": pytest.approx((1 + 0 + 2 / 3 + 1 + 0) / 5),
        "SQuAD 2.0, AUROC": pytest.approx((3 * 0.5 + 3) / 6),
    }


def test_neighbours_hold_no_answer_and_share_rare_words(bench: Bench) -> None:
    squad_file(bench.data)
    bench = replace(bench, engines=replace(NO_ENGINES, reader=lambda _: READER))
    # Every third answerable question: the cat. Its neighbour is the bowl's paragraph, which shares "the" and "cat".
    (figure,) = neighbours.measure(bench)
    assert figure == Figure("Neighbours, AUROC", 1.0, 1.0, 1.0, 2, 0.95)
    cats = squad.load_articles(find(bench.data, squad.FILE))[1]
    own, bowl, nothing = cats.paragraphs
    assert neighbours.neighbour(cats, own, own.questions[0]) == bowl
    assert neighbours.neighbour(cats, own, Question("Where is the cat?", ("sill",))) == nothing
    assert neighbours.neighbour(Article("X", (own,)), own, own.questions[0]) is None


def test_a_reading_without_a_span_is_below_all_others() -> None:
    class Speechless:
        def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
            return [Reading(0.5, ()) for _ in passages]

    row = squad.ask(Speechless(), Question("Where?", ("here",)), Paragraph("It is here.", ()))
    assert row == Asked(
        answerable=True, f1=0.0, scores={"answerable": 0.5, "span": -math.inf, "answerable + span": -math.inf}
    )


rows = st.builds(
    lambda answerable, f1, score: Asked(answerable, f1 if answerable else 0.0, {"s": score}),
    st.booleans(),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 2.0]),
)


@given(st.lists(rows, min_size=1, max_size=12))
def test_the_threshold_is_the_best_of_all(asked: list[Asked]) -> None:
    def mean_worth(threshold: float) -> float:
        return sum(squad.worth(row, Choice("s", threshold, 0)) for row in asked) / len(asked)

    choice = squad.best_threshold(asked, "s")
    assert choice.f1 == pytest.approx(mean_worth(choice.threshold))
    assert choice.f1 == pytest.approx(max(mean_worth(t) for t in (-math.inf, -1.0, 0.0, 0.5, 2.0, math.inf)))


# ---- retrieval over a real index ---------------------------------------------------------------


def test_texts_become_sources_with_the_body_after_the_heading(bench: Bench) -> None:
    body = "Whales  sing .\r\nThey `` breathe '' air . "
    texts = [Text("Whales of\nthe sea", body), Text("Bees", "Bees dance."), Text("Whales of\nthe sea", body)]
    corpus = indexed(bench, "sea", texts)
    assert corpus.sources == {texts[0]: "00001.md", texts[1]: "00002.md"}
    store = open_store(corpus.settings)
    assert [(s.name, s.title) for s in store.sources()] == [("00001.md", "Whales of the sea"), ("00002.md", "Bees")]
    assert store.source("00001.md").text[len(texts[0].heading) :] == body


def test_a_kept_index_follows_the_texts(bench: Bench) -> None:
    indexed(bench, "sea", [Text("Whales", "Whales sing."), Text("Bees", "Bees dance.")])
    seen: list[tuple[str, int, int]] = []
    again = replace(bench, report=lambda *told: seen.append(told))
    corpus = indexed(again, "sea", [Text("Bees", "Bees dance.")])
    assert [s.title for s in open_store(corpus.settings).sources()] == ["Bees"]
    assert seen[-1] == ("Indexing sea", 1, 1)


def hit(source: str, start: int = 0) -> Hit:
    return Hit(Passage(source, start, start + 1, "x", ()), 1.0)


def test_a_source_ranks_where_its_best_passage_does() -> None:
    assert ranked([hit("b"), hit("a"), hit("b", 5), hit("c")], 2) == ["b", "a"]


@given(st.lists(st.sampled_from("abcde"), unique=True))
def test_ranks_are_worth_less_the_lower(ranking: list[str]) -> None:
    reciprocal = [nq.reciprocal_rank(ranking, source) for source in ranking]
    gains = [nq.discounted_gain(ranking, source) for source in ranking]
    assert reciprocal == [1 / rank for rank in range(1, len(ranking) + 1)]
    assert gains == sorted(gains, reverse=True)
    assert gains[:3] == pytest.approx([1, 1 / math.log2(3), 0.5][: len(gains)])
    assert nq.reciprocal_rank(ranking, "z") == nq.discounted_gain(ranking, "z") == 0


def test_nq_ranks_the_gold_passage_and_matches_short_answers(bench: Bench) -> None:
    def row(question: str, answer: str, title: str, text: str) -> dict[str, Any]:
        return {"question": question, "answers": [answer], "ctxs": [{"title": title, "text": text}]}

    rows = [
        row("who discovered radium", "Marie Curie", "Radium", "Radium was discovered by Marie Curie."),
        row("who wrote hamlet", "William Shakespeare", "Hamlet", "Hamlet is a play by William Shakespeare."),
        row("which play is by shakespeare", "Hamlet", "Hamlet", "Hamlet is a play by William Shakespeare."),
        row("radium metal hamlet", "Bohrium", "Elements", "Bohrium is a metal, but no play."),
    ]
    write(bench.data / "nq_oracle" / "nq-open-oracle.jsonl.gz", rows)
    script = {"who discovered radium": ("marie curie", ()), "who wrote hamlet": ("Christopher Marlowe", ())}
    engines = replace(NO_ENGINES, retriever=WordRetriever, answerer=lambda s: ScriptedAnswerer(s, script))
    figures = nq.measure(replace(bench, engines=engines))
    values = figures_by_name(figures)
    assert values["NQ, exact match of the short answer"] == 0.25
    assert values["NQ, a gold answer in the text"] == 0.25
    assert values["NQ, refused"] == 0.5
    # The first three passages are found first; the last shares one common word with its passage.
    assert 0.75 <= values["NQ, Hit@1"] <= values["NQ, MRR@10"] <= values["NQ, nDCG@10"] < 1
    assert {figure.n for figure in figures} == {4}
    assert [figure.target for figure in figures[:3]] == [0.84, None, 0.92]


def test_hotpotqa_and_musique_want_every_supporting_passage(bench: Bench) -> None:
    bodies = {
        "Curie": ["Marie Curie was born", " in Warsaw."],
        "Warsaw": ["Warsaw lies on the Vistula."],
        "Hamlet": ["A play."],
    }
    facts = [["Curie", 0], ["Warsaw", 0], ["Curie", 1]]
    write(bench.data / "hipporag" / "hotpotqa_train_corpus.json.gz", bodies)
    write(
        bench.data / "hipporag" / "hotpotqa_train.json.gz",
        [{"question": "Which river was Curie born on?", "supporting_facts": facts}],
    )
    engines = replace(NO_ENGINES, retriever=WordRetriever)
    figures = figures_by_name(multihop.measure_hotpotqa(replace(bench, engines=engines)))
    # The words lead to Curie's passage ("on" to Warsaw's), so that both are among the first five of three.
    assert figures == {
        "HotpotQA, Recall@5": 1.0,
        "HotpotQA, all-recall@5": 1.0,
        "HotpotQA, Recall@5 of plain BM25": 1.0,
        "HotpotQA, all-recall@5 of plain BM25": 1.0,
    }

    texts = [{"title": title, "text": "".join(sentences)} for title, sentences in bodies.items()]
    paragraphs = [
        {"title": row["title"], "paragraph_text": row["text"], "is_supporting": row["title"] != "Hamlet"}
        for row in texts
    ]
    write(bench.data / "hipporag" / "musique_train_corpus.json.gz", texts)
    write(
        bench.data / "hipporag" / "musique_train.json.gz",
        [{"question": "Which river has Curie?", "paragraphs": paragraphs}],
    )
    figures = figures_by_name(multihop.measure_musique(replace(bench, engines=engines)))
    assert (figures["MuSiQue, Recall@5"], figures["MuSiQue, all-recall@5"]) == (0.5, 0.0)


def test_recall_is_the_share_that_was_found() -> None:
    assert multihop.recall(["a", "x"], ["a", "b"]) == 0.5


def test_a_supporting_passage_outside_the_corpus_is_told(bench: Bench) -> None:
    write(bench.data / "c.json", [{"title": "A", "text": "a"}])
    supporting = [{"title": "B", "paragraph_text": "b", "is_supporting": True}]
    write(bench.data / "q.json", [{"question": "?", "paragraphs": supporting}])
    with pytest.raises(BadInput, match="not in the corpus"):
        multihop.load_musique(bench.data / "q.json", bench.data / "c.json")


def test_widened_settings_give_room_for_long_sources() -> None:
    search = widened(Settings(), 5).search
    assert (search.top_k, search.per_source) == (10, 10)


# ---- ClapNQ ------------------------------------------------------------------------------------


def clapnq_row(question: str, title: str, sentences: list[str], *selections: list[str]) -> dict[str, Any]:
    passage = {"title": title, "text": " ".join(sentences) + " ", "sentences": sentences}
    return {"input": question, "passages": [passage], "output": [{"selected_sentences": s} for s in selections]}


def test_clapnq_counts_refusals_and_cited_sentences(bench: Bench) -> None:
    whales = ["Whales sing .", "They breathe air .", "Some are blue ."]
    bees = ["Bees dance .", "They make honey ."]
    answerable = [
        clapnq_row("what do whales do", "Whales", whales, whales[:2], [whales[0]]),
        clapnq_row("what do bees do", "Bees", bees, bees, bees),
        clapnq_row("how do bees speak", "Bees", bees, [bees[0]]),
    ]
    unanswerable = [clapnq_row("why is the sea salt", "Sea", ["The sea is deep ."], [])]
    write(bench.data / "clapnq" / "clapnq_dev_answerable.jsonl.gz", answerable)
    write(bench.data / "clapnq" / "clapnq_dev_unanswerable.jsonl.gz", unanswerable)
    # Whales: two right and one astray. Bees: one of two.
    script = {"what do whales do": ("x", (whales[0], whales[1], "Bees dance .")), "what do bees do": ("x", (bees[1],))}
    engines = replace(NO_ENGINES, answerer=lambda s: ScriptedAnswerer(s, script))
    assert figures_by_name(clapnq.measure(replace(bench, engines=engines))) == {
        "ClapNQ, answerable refused": pytest.approx(1 / 3),
        "ClapNQ, unanswerable refused": 1.0,
        "ClapNQ, citation precision": 3 / 4,
        "ClapNQ, citation recall of the answered": 3 / 4,
        "ClapNQ, citation recall, refusals counting 0": 3 / 5,
    }
    silent = replace(NO_ENGINES, answerer=lambda s: ScriptedAnswerer(s, {}))
    assert figures_by_name(clapnq.measure(replace(bench, engines=silent))) == {
        "ClapNQ, answerable refused": 1.0,
        "ClapNQ, unanswerable refused": 1.0,
    }


def cited(source: str, start: int, end: int) -> Citation:
    return Citation(1, source, None, None, None, start, end, 1, "")


@pytest.mark.parametrize(
    ("citations", "expected"),
    [
        pytest.param([cited("g", 0, 10)], Agreement(1, 1, 1), id="the selected sentence"),
        pytest.param([cited("g", 0, 20)], Agreement(2, 1, 1), id="both sentences in one citation"),
        pytest.param([cited("g", 0, 13)], Agreement(1, 1, 1), id="a few characters of the next sentence"),
        pytest.param([cited("g", 2, 5)], Agreement(1, 1, 1), id="a part of a sentence"),
        pytest.param([cited("x", 0, 10)], Agreement(1, 1, 0), id="another source"),
        pytest.param([cited("g", 40, 50)], Agreement(1, 1, 0), id="no sentence of the passage, such as the heading"),
        pytest.param([], Agreement(0, 1, 0), id="nothing"),
    ],
)
def test_citations_are_held_against_sentences(citations: list[Citation], expected: Agreement) -> None:
    assert clapnq.agreement(citations, "g", [(0, 10), (10, 20)], frozenset({0})) == expected


def test_the_annotator_who_agrees_best_counts() -> None:
    sentences = [(0, 10), (10, 20), (20, 30)]
    selections = [frozenset({2}), frozenset({0, 1})]
    assert clapnq.best_agreement([cited("g", 0, 20)], "g", sentences, selections) == Agreement(2, 2, 2)
    assert clapnq.best_agreement([], "g", sentences, selections) == Agreement(0, 1, 0)


# ---- claims ------------------------------------------------------------------------------------


def test_fool_me_twice_compares_support_with_contradiction(bench: Bench) -> None:
    def row(text: str, evidence: list[str], label: str) -> dict[str, Any]:
        return {"text": text, "gold_evidence": [{"text": sentence} for sentence in evidence], "label": label}

    rows = [
        row("Bees dance. They fly.", ["Bees dance.", "They fly."], "SUPPORTS"),
        row("Bees swim.", ["Bees dance."], "REFUTES"),
        row("Bees hum.", ["Bees make a sound."], "SUPPORTS"),
        row("Bees dance.", ["Bees dance."], "REFUTES"),
    ]
    write(bench.data / "fool_me_twice" / "test.jsonl.gz", rows)
    engines = replace(NO_ENGINES, verifier=lambda _: ScriptedVerifier())
    (figure,) = claims.measure_fool_me_twice(replace(bench, engines=engines))
    assert (figure.value, figure.n) == (0.5, 4)


def test_contradictions_are_found_per_kind_at_few_false_alarms(bench: Bench, tmp_path: Path) -> None:
    class ByNumber:
        def verify(self, pairs: Sequence[tuple[str, str]]) -> list[Support]:
            return [Support(1 - float(claim), float(claim), 0.0) for claim, _ in pairs]

    def row(alarm: float, label: str, kind: str = "") -> dict[str, str]:
        return {"claim": str(alarm), "evidence": "", "label": label, "kind": kind}

    calm = [row(alarm / 100, "supported") for alarm in range(40)]  # 5 % of 40 may ring: 0.38 and 0.39 do
    denied = [row(0.9, "contradicted", "date"), row(0.37, "contradicted", "date"), row(0.38, "contradicted", "name")]
    write(tmp_path / "claims.jsonl", [*calm, *denied, row(0.1, "neither", "other topic")])
    engines = replace(NO_ENGINES, verifier=lambda _: ByNumber())
    figures = claims.measure_contradictions(replace(bench, engines=engines, claims=tmp_path / "claims.jsonl"))
    assert figures_by_name(figures) == {
        "Contradictions found, all kinds": pytest.approx(2 / 3),
        "Contradictions found, date": 0.5,
        "Contradictions found, name": 1.0,
        "Contradictions, alarms where the evidence says nothing": 0.0,
    }


@given(st.lists(st.integers(0, 9).map(float), min_size=1, max_size=60), st.sampled_from([0.0, 0.05, 0.2]))
def test_the_alarm_threshold_is_the_least_that_few_exceed(calm: list[float], share: float) -> None:
    threshold = claims.alarm_threshold(calm, share)
    assert sum(value > threshold for value in calm) <= share * len(calm)
    lower = max((value for value in calm if value < threshold), default=None)
    assert lower is None or sum(value > lower for value in calm) > share * len(calm)


def test_claims_are_asked_for_and_checked(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no claims"):
        claims.measure_contradictions(bench)
    write(tmp_path / "claims.jsonl", [{"claim": "c", "evidence": "e", "label": "true", "kind": "date"}])
    with pytest.raises(BadInput, match="the label 'true'"):
        claims.load_claims(tmp_path / "claims.jsonl")


# ---- figures, their file and the command -------------------------------------------------------


def test_a_figure_says_value_interval_and_aim() -> None:
    figure = Figure.of("Hit@1", Interval(0.8123, 0.799, 0.8251, 2655), {"Hit@1": 0.769})
    assert (figure.measured, figure.aim) == ("0.812 [0.799, 0.825]", "≥ 0.769")
    refused = Figure.of("refused", Interval(0.1, 0.1, 0.1, 3), {"refused": 0.2}, higher_is_better=False)
    assert refused.aim == "≤ 0.200"
    assert Figure.of("other", Interval(0.1, 0.1, 0.1, 3)).aim == ""


numbers = st.floats(0, 1)
measured = st.builds(
    Measured,
    st.sampled_from(["a", "b"]),
    st.text(),
    st.lists(
        st.builds(Figure, st.text(), numbers, numbers, numbers, st.integers(1), st.none() | numbers, st.booleans()),
        max_size=2,
    ).map(tuple),
)


@given(st.lists(measured, min_size=1, max_size=5))
def test_merging_keeps_the_last_of_each_suite(tmp_path_factory: pytest.TempPathFactory, runs: list[Measured]) -> None:
    path = tmp_path_factory.mktemp("results") / "deep" / "results.json"
    for run in runs:
        merge_results(path, run)
    assert read_results(path) == {run.suite: run for run in runs}
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_takes_no_results_is_told_before_measuring(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    squad_file(tmp_path)
    (tmp_path / "file").write_text("no results")
    (tmp_path / "folder").mkdir()
    for out in ("file", "folder", "file/r.json"):
        assert command("squad", "--data", tmp_path, "--out", out) == 2
        printed = capsys.readouterr()
        assert out in printed.err
        assert printed.out == ""


@pytest.mark.parametrize("content", ["", "[]", '{"version": 9, "suites": {}}', '{"version": 1}'])
def test_what_is_no_file_of_results_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(BadInput, match=r"results\.json"):
        read_results(tmp_path / "results.json")


def test_rows_are_markdown() -> None:
    figure = Figure("Hit@1", 0.8, 0.7, 0.9, 2655, 0.769)
    assert markdown_rows([Measured("nq", "python -m eval.suites nq --data DIR", (figure,))]) == [
        "| Hit@1 | ≥ 0.769 | 0.800 [0.700, 0.900] | 2,655 | `python -m eval.suites nq --data DIR` |"
    ]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """The command line with the scripted engines, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    engines = Engines(lambda _: READER, lambda _: ScriptedVerifier(), WordRetriever, lambda s: ScriptedAnswerer(s, {}))
    yield lambda *arguments: main([str(argument) for argument in arguments], engines)


def test_the_command_measures_merges_and_prints_rows(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    squad_file(tmp_path)
    write(
        tmp_path / "fool_me_twice" / "test.jsonl.gz",
        [{"text": "Bees dance.", "gold_evidence": [{"text": "Bees dance."}], "label": "SUPPORTS"}],
    )
    assert command("fool-me-twice", "--data", tmp_path, "--out", "r.json", "--limit", 7) == 0
    assert command("squad", "neighbours", "--data", tmp_path, "--out", "r.json") == 0
    printed = capsys.readouterr()
    assert "SQuAD 2.0, overall F1" in printed.out
    assert printed.err == ""
    assert set(read_results(tmp_path / "r.json")) == {"squad", "neighbours", "fool-me-twice"}
    assert command("table", "r.json") == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("| figure | target |")
    measured, published, _, differing = [list(block) for filled, block in groupby(rows, bool) if filled]
    assert [row.split(" | ")[0] for row in measured[2:]] == [
        "| SQuAD 2.0, answerable F1",
        "| SQuAD 2.0, overall F1",
        "| SQuAD 2.0, AUROC",
        "| Neighbours, AUROC",
        "| FoolMeTwice, accuracy",
    ]
    assert measured[-1].endswith("`python -m eval.suites fool-me-twice --data DIR --limit 7` |")
    assert "| SQuAD 2.0, overall F1 | BERT-base, trained on SQuAD 2.0 | 0.768 | SQuAD 2.0 dev |" in published
    assert "- squad: They were trained on SQuAD 2.0's training part" in differing[0]
    assert str(tmp_path) not in "".join(rows)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["squad", "--data", "nowhere"], "There is no folder nowhere.", id="no folder"),
        pytest.param(["all", "--data", "."], "squad/dev-v2.0.json is not there", id="no file"),
        pytest.param(["contradictions", "--data", "."], "--claims", id="no claims"),
        pytest.param(["contradictions", "--data", ".", "--claims", "c"], "There is no file c.", id="no such claims"),
        pytest.param(["table", "nothing.json"], "nothing.json cannot be read", id="no results"),
        pytest.param(["quad", "--data", "."], "invalid choice: 'quad'", id="no such suite"),
        pytest.param(["squad"], "--data", id="no data"),
        pytest.param(["squad", "--data", ".", "--limit", "0"], "1 or more", id="no questions"),
        pytest.param([], "NAME", id="nothing"),
    ],
)
def test_a_wrong_command_gets_one_message_and_exit_code_2(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert command(*arguments) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_every_suite_of_the_command_has_its_place() -> None:
    assert list(SUITES) == [
        "squad", "neighbours", "nq", "hotpotqa", "musique", "clapnq", "fool-me-twice", "contradictions",
        "rewriting", "mtrag", "wice", "bipia", "multihop-rag", "ramdocs", "beir",
    ]  # fmt: skip


# ---- the real engines --------------------------------------------------------------------------


def test_the_real_retriever_and_answerer_fit_the_suites(bench: Bench) -> None:
    from rag.wiring import open_answerer, open_retriever

    texts = [
        Text("Radium", "Radium was discovered by Marie Curie in 1898."),
        Text("Hamlet", "Hamlet is a play by William Shakespeare."),
        Text("Bees", "Bees dance to tell where flowers are."),
    ]
    corpus = indexed(bench, "three", texts)
    settings = widened(corpus.settings, 5)
    with open_store(settings).snapshot() as snapshot:
        hits = open_retriever(settings).retrieve("Who discovered radium?", snapshot)
    assert ranked(hits, 1) == ["00001.md"]
    with closing(open_answerer(corpus.settings)) as answerer:
        assert answerer.ask("Who discovered radium?").question == "Who discovered radium?"
