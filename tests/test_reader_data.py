"""The examples that the reader and verifier are trained on keep what they promise."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.reader.alter import NUMBER_WORDS, Pool, alter, names_in, other_number
from rag.reader.claims import asked, made_claims, main, paraphrase, statement, training_claims
from rag.reader.corpora import TUNING_PLACES, meant, squad
from rag.reader.readings import Article, neighbours, people_s_own, training_examples

TEXTS = (
    "Acme Rockets was founded in 1998 by Jane Doe in Tulsa. It sold about 1,200 rockets in its first year. Jane Doe"
    " left in March 2004 for Globex, where she led 35 engineers.",
    "Globex has made anvils since 1951. Its largest plant stands in Utica, New York. In 2010, Globex was bought by Hank"
    " Scorpio for $4.5 million, which surprised nobody.",
    "Tulsa is a city in Oklahoma. More than 400,000 people live there. The Arkansas River flows through the north of"
    " Tulsa.",
)
QUESTIONS = (
    (("Who founded Acme Rockets in 1998?", "Jane Doe"), ("How many engineers did Jane Doe lead?", "35")),
    (("Who bought Globex in 2010?", "Hank Scorpio"), ("Where is the largest plant of Globex?", "Utica, New York")),
    (("What flows through the north of Tulsa?", "The Arkansas River"), ("Where is Tulsa?", "Oklahoma")),
)


def paragraph(text: str, asked_of: tuple[tuple[str, str], ...], impossible: bool) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"question": q, "answers": [{"text": a, "answer_start": text.index(a)}], "is_impossible": False}
        for q, a in asked_of
    ]
    if impossible:
        rows.append({"question": "Who sank the ship?", "answers": [], "is_impossible": True})
    return {"context": text, "qas": rows}


def write_data(folder: Path) -> Path:
    """A folder in the public data sets' formats, a few rows each."""
    rows = list(zip(TEXTS, QUESTIONS, strict=True))
    article = {"title": "Acme_Rockets", "paragraphs": [paragraph(*row, False) for row in rows]}
    twos = {"title": "Globex", "paragraphs": [paragraph(*row, True) for row in rows]}
    pack(folder / "squad" / "train-v1.1.json.gz", json.dumps({"data": [article] * 2}))
    pack(folder / "squad" / "dev-v2.0.json.gz", json.dumps({"data": [twos] * 35}))
    for part in ("dev", "test"):
        for name, line in (("s1", "A dog runs."), ("s2", "An animal moves."), ("labels", "entailment")):
            pack(folder / "esnli" / f"{name}.{part}.gz", f"{line}\n")
    pack(folder / "taxinli" / "taxinli10k.tsv.gz", "prem\thyp\tlabel\nIt is cold.\tIt is hot.\tcontradiction\n")
    fooled = {"label": "REFUTES", "text": "Rome fell in 1066.", "gold_evidence": [{"text": "Rome fell in 476."}]}
    pack(folder / "fool_me_twice" / "dev.jsonl.gz", json.dumps(fooled) + "\n")
    borne = {
        "label": "supported",
        "claim": "It rained.",
        "evidence": ["Dry.", "It rained."],
        "supporting_sentences": [[1]],
    }
    pack(folder / "wice" / "non_supported_tokens-train.jsonl.gz", json.dumps(borne) + "\n")
    edits = [
        {"label": 1, "summary": "It rained.", "doc": "It rained a lot."},
        {"label": 0, "summary": "x", "doc": "y" * 2000},
    ]
    pack(folder / "summedits" / "summedits_x.json.gz", json.dumps(edits))
    return folder


def pack(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


# ---- alterations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "lawful"),
    [
        ("date", "It began in 1998.", r"It began in (?!1998)\d{4}\."),
        ("number", "It has 1,200 rooms.", r"It has (?!1,200)\d,\d{3} rooms\."),
        ("name", "They met Jane Doe there.", r"They met Hank Scorpio there\."),
        ("negation", "Rome was built.", r"Rome was (?:not|never|no longer) built\."),
        ("negation", "It was not built.", r"It was built\."),
        ("opposite", "The largest town.", r"The smallest town\."),
        ("unit", "It cost 3 million.", r"It cost 3 (?:b|tr)illion\.|It cost 3 thousand\."),
        ("hedge", "It has over 30 rooms.", r"It has under 30 rooms\."),
        ("relation", "Who founded it?", r"Who (?!founded)\w+ it\?"),
    ],
)
def test_one_thing_is_changed_by_another_of_its_type(kind: Any, text: str, lawful: str) -> None:
    for seed in range(8):
        altered = alter(text, Pool(("Hank Scorpio",), ()), Random(seed), [kind])
        assert altered is not None
        assert altered[1] == kind
        assert re.fullmatch(lawful, altered[0])


@given(st.text(), st.integers())
def test_an_alteration_always_changes_the_text(text: str, seed: int) -> None:
    kinds = ["number", "date", "name", "negation", "opposite", "unit", "hedge", "relation"]
    altered = alter(text, Pool(("Ada Byron",), ("Rome",)), Random(seed), kinds)  # type: ignore[arg-type]
    assert altered is None or altered[0] != text


@given(
    st.one_of(
        st.from_regex(r"[1-9][0-9]{0,2}(,[0-9]{3}){0,2}(\.[0-9]{1,3})?", fullmatch=True), st.sampled_from(NUMBER_WORDS)
    )
)
def test_another_number_looks_like_the_first(written: str) -> None:
    other = other_number(written, Random(1))
    assert other != written
    assert [c for c in other if not c.isdigit()] == [c for c in written if not c.isdigit()] or other in NUMBER_WORDS


def test_names_are_runs_of_capitalised_words() -> None:
    assert names_in("In 1990 Ada Byron met Babbage of the Royal Society in March.") == [
        "Ada Byron", "Babbage of the Royal Society"
    ]  # fmt: skip


# ---- readings ----------------------------------------------------------------------------------


def test_an_answer_stands_where_the_example_says_and_nowhere_in_one_that_does_not_answer(data: Path) -> None:
    answers = {question.rstrip("?"): answer for pairs in QUESTIONS for question, answer in pairs}
    kinds = set()
    for seed in range(20):
        for example in training_examples(data, 10, 10, seed):
            kinds.add(example.kind.split(":")[0])
            if example.start >= 0:
                assert example.passage[example.start : example.end] == answers[example.question.rstrip("?")]
            elif example.kind in ("near", "removed"):
                assert answers[example.question.rstrip("?")] not in example.passage
    assert kinds == {"answerable", "asked by people", "near", "removed", "question", "passage"}


def test_of_an_answer_that_stands_twice_the_place_is_taken_that_the_question_is_about() -> None:
    between = "Britain had been at war since September 1939, and its ships were being sunk. " * 2
    text = f"Franklin Roosevelt was lobbied by Churchill for years. {between}Roosevelt signed the Atlantic Charter."
    asked = "Which president signed the Atlantic Charter?"
    assert meant(text, asked, "Roosevelt", 9) == text.rindex("Roosevelt")
    assert meant(text, "Who was lobbied by Churchill?", "Roosevelt", 9) == 9
    assert meant(text, asked, "Truman", 3) == 3


def test_the_same_seed_gives_the_same_examples(data: Path) -> None:
    assert training_examples(data, 10, 10, 3) == training_examples(data, 10, 10, 3)
    assert training_examples(data, 10, 10, 3) != training_examples(data, 10, 10, 4)


def test_odd_and_tuning_places_are_never_trained_on(tmp_path: Path) -> None:
    marked = [{"title": f"t{n}", "paragraphs": [paragraph(f"Place {n} is here.", (), True)]} for n in range(35)]
    pack(tmp_path / "squad" / "dev-v2.0.json.gz", json.dumps({"data": marked}))
    trained = {example.passage for example in people_s_own(tmp_path, training=True, seed=1)}
    tuned = {example.passage for example in people_s_own(tmp_path, training=False, seed=1)}
    assert tuned == {f"Place {n} is here." for n in TUNING_PLACES}
    assert trained == {f"Place {n} is here." for n in range(0, 35, 2)} - tuned


def test_a_neighbour_does_not_hold_the_answer(data: Path) -> None:
    answers = dict(pair for pairs in QUESTIONS for pair in pairs)
    found = list(neighbours(data, 1))
    assert found
    assert all(answers[example.question] not in example.passage for example in found)


def test_a_passage_of_its_own_article_is_the_nearest(data: Path) -> None:
    article = Article(squad(data / "squad" / "train-v1.1.json.gz")[0])
    assert article.nearest("Who bought Globex in 2010?", "Hank Scorpio", 1, Random(1)) in (0, 2)


# ---- claims ------------------------------------------------------------------------------------


def test_a_true_claim_is_not_altered_and_a_contradiction_is(data: Path) -> None:
    claims = list(made_claims(squad(data / "squad" / "train-v1.1.json.gz") * 20, 5))
    assert {claim.label for claim in claims} == {"supported", "contradicted", "neither"}
    true = {claim.claim for claim in claims if claim.label == "supported"}
    denied = {claim.claim for claim in claims if claim.label == "contradicted"}
    assert not true & denied


def test_every_public_set_is_read(data: Path) -> None:
    kinds = {claim.kind for claim in training_claims(data, 0, 1)}
    assert kinds == {"esnli", "taxinli", "fool_me_twice", "wice", "summedits"}


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("Who founded Acme?", "Jane Doe", "Jane Doe founded Acme."),
        ("Which company made the rocket?", "Acme", "Acme made the rocket."),
        ("Who is the head of Acme?", "Jane Doe", None),
        ("When did Acme begin?", "1998", None),
    ],
)
def test_a_question_about_the_subject_becomes_a_statement(question: str, answer: str, said: str | None) -> None:
    assert statement(question, answer) == said


@pytest.mark.parametrize(
    ("claim", "question"),
    [
        ("Rome was built in a day.", "Was Rome built in a day?"),
        ("The town has moved.", "Has the town moved?"),
        ("Jane Doe founded Acme.", "Did Jane Doe found Acme?"),
        ("Rain fell.", None),
    ],
)
def test_a_claim_becomes_a_yes_no_question(claim: str, question: str | None) -> None:
    assert asked(claim) == question


def test_a_paraphrase_drops_or_moves_what_can_go() -> None:
    sentence = "In 2010, Globex was bought by Hank Scorpio (a rival) for a lot, which surprised nobody."
    said = {paraphrase(sentence, Random(seed)) for seed in range(200)}
    assert sentence in said
    assert "Globex was bought by Hank Scorpio for a lot, which surprised nobody in 2010." not in said
    assert any(" (a rival)" not in other for other in said)


def test_the_claims_to_report_on_are_written_as_json_lines(data: Path, tmp_path: Path, capsys: Any) -> None:
    main(["--data", str(data), "--out", str(tmp_path / "claims.jsonl")])
    rows = [json.loads(line) for line in (tmp_path / "claims.jsonl").read_text("utf-8").splitlines()]
    assert rows
    assert set(rows[0]) == {"claim", "evidence", "label", "kind"}
    assert f"{len(rows):,} claims" in capsys.readouterr().out
