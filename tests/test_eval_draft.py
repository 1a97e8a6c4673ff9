"""Drafted gold questions: sound cases in English, their evidence verbatim, kept by a person or by --yes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit import PromptSession
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console
from typer.testing import CliRunner, Result

from eval.cases import load_cases
from eval.draft import Proposal, draft, sentences_of
from eval.draft_command import draft as draft_command
from eval.draft_grammar import clause, names_in
from eval.draft_model import draft_with, verbatim
from eval.draft_questions import askings
from eval.draft_review import reviewed
from rag.backends.offline import Scripted
from rag.errors import BadGold, BadInput, SourceUnknown
from rag.records import Source
from rag.values import holds
from tests.conftest import SEEDS
from tests.model_servers import model_server
from tests.test_cli import Door

DOCUMENTS = {
    "bridge": "The Northgate Bridge was opened on 7 March 1998. It is long. The Northgate Bridge cost $42 million.",
    "audit": "The Northgate Bridge cost $57 million. Northgate Council repaired the Southgate Bridge in 2011.",
    "leave": "Employees of Ostler Mills receive 28 days of leave. Requests for leave are approved within 3 days.",
    "mills": "Ostler Mills was founded in 1904 by Hanna Ostler. In 2019, Ostler Mills acquired Brightwater Dyes.",
    "history": "Hanna Ostler founded Ostler Mills in 1904. Tomas Reve is the chief executive of Ostler Mills.",
    "library": "The Carrow Library holds 86,000 books. Ines Duarte is the head of the Carrow Library.",
    "energy": "The Hollin Wind Farm generates 64 megawatts. The Hollin Wind Farm was built by Aerodyne in 2015.",
    "water": "The Hollin Reservoir holds 9 million litres. Brightwater Dyes paid $9,000 to Northgate Council in 2021.",
    "transport": "The number 7 tram carries 15,000 passengers. Northgate Council bought 24 trams in 2020.",
    "museum": "The Ostler Museum attracted 51,000 visitors in 2022. A ticket for the Ostler Museum costs €9.",
}  # fmt: skip


def source(name: str, text: str) -> Source:
    return Source(name, name, text, "")


SOURCES = [source(f"{name}.md", f"# {name.title()}\n\n{text}\n") for name, text in DOCUMENTS.items()]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for each in SOURCES:
        (folder / each.name).write_text(each.text, "utf-8")
    return folder


def check_sound(proposals: list[Proposal], sources: list[Source], path: Path) -> None:
    """What must hold of all drafted questions, whatever they were drafted from."""
    texts = {each.name: each.text for each in sources}

    def text_of(name: str) -> str:
        if name not in texts:
            raise SourceUnknown(name)
        return texts[name]

    path.write_text("".join(json.dumps(each.to_json()) + "\n" for each in proposals), "utf-8")
    cases = load_cases(path, text_of) if proposals else ()
    for case in cases:
        assert re.fullmatch(r"(?:Who|When|What|How|By how|For how|At how|Within how|After how) .+\w.*\?", case.question)
        assert case.evidence or case.refusal_expected
        assert case.disputed == (case.kind == "conflict")
        for group in case.any_of:
            assert not any(holds(case.question, string) for string in group), case
            assert any(holds(item.quote, string) for string in group for item in case.evidence), case


# ---- clauses and questions ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "questions"),
    [
        pytest.param(
            "Acme raised $5 million in 2020.",
            {"How much did Acme raise in 2020?": "$5 million", "When did Acme raise $5 million?": "2020"},
            id="money and a year",
        ),
        pytest.param(
            "The Harbour Bridge was designed by Ada Byron in 1932.",
            {
                "When was the Harbour Bridge designed by Ada Byron?": "1932",
                "Who designed the Harbour Bridge in 1932?": "Ada Byron",
            },
            id="by whom and when",
        ),
        pytest.param(
            "Founded in 2016 by CEO Ada Byron, Acme Labs makes looms.",
            {"When was Acme Labs founded?": "2016", "Who founded Acme Labs?": "Ada Byron"},
            id="said in passing",
        ),
        pytest.param("Acme employs some 300 people.", {"How many people does Acme employ?": "300"}, id="people"),
        pytest.param("Pay is due within 3 days.", {}, id="no verb that is known"),
        pytest.param("The price of tea was €9 in 2023.", {"What was the price of tea in 2023?": "€9"}, id="price"),
        pytest.param("Sales at Acme grew by 12%.", {"By how much did sales at Acme grow?": "12%"}, id="growth"),
        pytest.param("The tower of Ely is 66 metres tall.", {"How tall is the tower of Ely?": "66 metres"}, id="size"),
        pytest.param("It raised $5 million.", {}, id="nobody named"),
        pytest.param("Acme raised a great deal of money.", {}, id="nothing to ask for"),
    ],
)  # fmt: skip
def test_plain_sentences_give_english_questions(sentence: str, questions: dict[str, str]) -> None:
    found = {asking.question: asking.any_of[0] for asking in askings(sentence, frozenset({"Acme"}))}
    assert questions.items() <= found.items()
    assert found or not questions
    assert questions or not found


def test_a_clause_keeps_names_and_ends_at_the_first_comma_that_parts() -> None:
    found = clause("Revenue of Acme reached $1,200 on March 7, 2021, a record.", frozenset({"Acme"}))
    assert found is not None
    assert (found.subject, found.auxiliary, found.verb) == ("revenue of Acme", "did", "reach")
    assert found.rest == " $1,200 on March 7, 2021"


def test_names_are_runs_of_capitals_inside_a_sentence() -> None:
    assert names_in("Later Ada Byron met Babbage. Employees of Acme left. Looms ran.") == [
        "Ada Byron",
        "Babbage",
        "Acme",
    ]


# ---- from documents to cases -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_what_is_drafted_from_real_articles_is_sound(seed: int, tmp_path: Path) -> None:
    seeds = [source(path.name, path.read_text("utf-8")) for path in sorted(SEEDS.iterdir())]
    proposals = draft(seeds, 12, seed)
    assert len(proposals) >= 6
    check_sound(proposals, seeds, tmp_path / "gold.jsonl")


subjects = st.sampled_from(
    ["Acme", "The Harbour Bridge", "Ada Byron", "Employees of Acme", "It", "acme", "Émile Zola", "3M"]
)
predicates = st.sampled_from(
    ["cost", "was opened in", "has", "employs", "was founded by", "is", "sold", "paid", "will cost", "—"]
)
objects = st.sampled_from(
    [
        "$5 million",
        "2016",
        "300 people",
        "Ada Byron in 1932",
        "about 12% of the market",
        "7 March 2021",
        "(2)",
        "the looms",
    ]
)
made = st.builds(lambda *words: " ".join(words), subjects, predicates, objects).map(lambda line: f"{line}.")
texts = st.lists(st.one_of(made, st.text(max_size=60)), max_size=8).map("\n".join)


@given(st.lists(texts, min_size=1, max_size=4), st.integers(0, 9), st.integers(1, 12))
def test_whatever_the_documents_what_is_drafted_is_sound(
    tmp_path_factory: pytest.TempPathFactory, some: list[str], seed: int, count: int
) -> None:
    sources = [source(f"{place}.txt", text) for place, text in enumerate(some)]
    proposals = draft(sources, count, seed)
    assert len(proposals) <= count
    assert len({each.id for each in proposals}) == len(proposals)
    assert proposals == draft(sources, count, seed)
    check_sound(proposals, sources, tmp_path_factory.mktemp("draft") / "gold.jsonl")


def test_agreeing_sources_are_one_case_and_disagreeing_ones_a_conflict() -> None:
    proposals = {each.question: each for each in draft(SOURCES, 50, 0)}
    cost = proposals["How much did the Northgate Bridge cost?"]
    assert (cost.kind, cost.any_of) == ("conflict", (("$42 million",), ("$57 million",)))
    assert cost.positions == ((("$42 million",), ("bridge.md",)), (("$57 million",), ("audit.md",)))
    founder = proposals["Who founded Ostler Mills in 1904?"]
    assert founder.kind == "single"
    assert {name for name, _ in founder.evidence} == {"history.md", "mills.md"}


def test_what_one_source_says_in_two_ways_is_not_asked() -> None:
    torn = source("a.txt", "The Harbour Bridge cost $4 million. The Harbour Bridge cost $9 million.")
    assert draft([torn], 9, 0) == []


def test_figures_that_agree_when_rounded_are_no_conflict() -> None:
    one, other = (source(f"{n}.txt", f"The Harbour Bridge cost {n}.") for n in ("$13.8 million", "about $14 million"))
    (cost,) = [each for each in draft([one, other], 9, 0) if each.evidence]
    assert (cost.kind, cost.any_of) == ("single", (("$13.8 million", "$14 million"),))


def test_a_question_to_be_refused_names_what_no_sentence_joins() -> None:
    vain = [each for seed in range(20) for each in draft(SOURCES, 20, seed) if each.kind == "unanswerable"]
    assert len({each.question for each in vain}) > 10
    asked = {each.question for each in draft(SOURCES, 50, 0) if each.kind != "unanswerable"}
    assert not asked & {each.question for each in vain}
    texts = " ".join(each.text for each in SOURCES)
    for each in vain:
        years = re.findall(r"\b1[89]\d\d\b", each.question)
        assert any(name in each.question for name in names_in(texts)) or not any(year in texts for year in years)


def test_known_questions_are_not_proposed_again() -> None:
    first = draft(SOURCES, 10, 0)
    more = draft(SOURCES, 10, 0, [each.question for each in first])
    assert more and not {each.id for each in first} & {each.id for each in more}


def test_markup_and_headings_are_not_asked_about() -> None:
    text = "# The Harbour Bridge cost $4 million.\n\n| Acme cost $4 million. |\n\n**Acme** cost $4 million in 2020.\n"
    assert list(sentences_of(source("a.md", text))) == []


# ---- a language model proposes -----------------------------------------------------------------


def line(question: str, answer: str, quote: str) -> str:
    return json.dumps({"question": question, "answer": answer, "quote": quote})


def test_of_a_models_proposals_only_those_with_a_verbatim_quote_stay() -> None:
    text = "Acme makes looms for the\nmills of the north. Acme sells 40 looms in a year."
    reply = "\n".join(
        [
            "Here you are:",
            line(
                "Who are the looms of Acme for?",
                "the mills of the north",
                "Acme makes looms for the mills of the north.",
            ),
            line("How many looms does Acme sell?", "50", "Acme sells 50 looms in a year."),
            line("How many looms does Acme sell?", "50", "Acme sells 40 looms in a year."),
            line("Does Acme sell 40 looms?", "40", "Acme sells 40 looms in a year."),
            line("Who are the looms of Acme for?", "the mills", "Acme makes looms for the mills of the north."),
            '{"question": 7}',
            "[" * 10_000,
        ]
    )
    sources = [source("a.txt", text)]
    drafted = draft_with(Scripted(reply), sources, 5, 0)
    assert [(each.question, each.evidence) for each in drafted.proposals] == [
        ("Who are the looms of Acme for?", (("a.txt", "Acme makes looms for the\nmills of the north."),))
    ]
    assert drafted.dropped == {
        "not of the form that was asked for": 3,
        "its quote does not stand in the document": 1,
        "its answer does not stand in its quote": 1,
        "its question gives the answer away": 1,
        "it was asked before": 1,
    }


@given(st.text(alphabet="ab \n\t", max_size=12), st.text(alphabet="ab ", min_size=1, max_size=4))
def test_a_quote_is_verbatim_or_none(text: str, quote: str) -> None:
    found = verbatim(quote, text)
    if found is None:
        assert quote not in text
    else:
        assert found in text
        assert re.sub(r"\s", " ", found) == quote


# ---- a person keeps, mends or drops ------------------------------------------------------------


def review(keys: str, proposals: list[Proposal]) -> Iterator[Proposal]:
    with create_pipe_input() as typed:
        typed.send_text(keys)
        session: PromptSession[str] = PromptSession(input=typed, output=DummyOutput())
        yield from reviewed(proposals, Console(quiet=True), session)


def test_a_person_keeps_mends_drops_and_quits_with_one_key_each() -> None:
    proposals = draft(SOURCES, 6, 0)
    mending = "m" + "\x15Who, then?\r" + "\r" * len(proposals[2].any_of)
    kept = list(review(f"Kdx\r{mending}q", proposals))
    assert [each.question for each in kept] == [proposals[0].question, "Who, then?"]
    assert kept[1].any_of == proposals[2].any_of


@pytest.mark.parametrize("end", [pytest.param("\x03", id="Ctrl-C"), pytest.param("\x04", id="Ctrl-D")])
def test_what_was_kept_before_an_interruption_stays(end: str) -> None:
    proposals = draft(SOURCES, 6, 0)
    assert list(review(f"k{end}", proposals)) == proposals[:1]
    assert list(review("km\x03", proposals)) == proposals[:1]


def test_mended_answers_mend_the_positions() -> None:
    (cost,) = [each for each in draft(SOURCES, 50, 0) if each.kind == "conflict"]
    (kept,) = review("m\r\x15 42 million | forty-two million \r\r", [cost])
    assert kept.any_of[0] == ("42 million", "forty-two million")
    assert kept.positions[0] == (("42 million", "forty-two million"), cost.positions[0][1])
    assert kept.positions[1] == cost.positions[1]


# ---- the command -------------------------------------------------------------------------------


def run_draft(*arguments: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(draft_command)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_drafting_again_adds_to_the_file_and_repeats_nothing(documents: Path, tmp_path: Path) -> None:
    out = tmp_path / "gold.jsonl"
    assert run_draft(documents, "--yes", "--count", 5, "--out", out).stdout.startswith("5 questions added to")
    out.write_text(out.read_text("utf-8").rstrip("\n"), "utf-8")
    assert run_draft(documents, "--yes", "--count", 5, "--out", out).exit_code == 0
    cases = load_cases(out, lambda name: (documents / name).read_text("utf-8"))
    assert len(cases) == len({case.question for case in cases}) == 10


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        pytest.param([], BadInput, "--yes", id="no terminal"),
        pytest.param(["--yes", "--out", "broken.jsonl"], BadGold, "eval check", id="no gold file"),
        pytest.param(["--yes", "--out", "documents"], BadInput, "", id="a folder"),
    ],
)
def test_what_cannot_be_drafted_is_one_message(
    documents: Path, arguments: list[str], error: type[BadInput], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(documents.parent)
    Path("broken.jsonl").write_text("no json\n", "utf-8")
    raised = run_draft(documents, *arguments).exception
    assert isinstance(raised, error)
    assert told in raised.hint


def test_documents_without_a_plain_sentence_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Well, who knows?", "utf-8")
    raised = run_draft(tmp_path, "--yes", "--out", tmp_path / "gold" / "g.jsonl").exception
    assert isinstance(raised, BadInput) and "no sentence is plain enough" in raised.message
    assert not (tmp_path / "gold").exists()


def test_a_model_of_the_settings_proposes(documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quote = "Tomas Reve is the chief executive of Ostler Mills."
    reply = line("Who runs Ostler Mills?", "Tomas Reve", quote) + "\n" + line("Who?", "Nobody", "Nobody runs it.")
    with model_server("ollama", [reply]) as server:
        monkeypatch.setenv("WHOSAYS_LANGUAGE__BASE_URL", server.url)
        done = run_draft(documents, "--yes", "--model", "ollama/m", "--out", tmp_path / "g.jsonl")
    assert done.exit_code == 0, done.output
    assert "Dropped 19 of the model's: its quote does not stand in the document." in done.stderr
    (case,) = load_cases(tmp_path / "g.jsonl", lambda name: (documents / name).read_text("utf-8"))
    assert (case.question, case.evidence[0].quote) == ("Who runs Ostler Mills?", quote)


@pytest.mark.usefixtures("documents")
def test_ten_documents_become_a_report_in_four_commands(tmp_path: Path) -> None:
    door = Door(tmp_path, tmp_path / "index")
    commands = [
        ("index", "documents"),
        ("eval", "draft", "documents", "--yes"),
        ("eval", "check", "gold.jsonl"),
        ("eval", "gold.jsonl", "--html", "report.html"),
    ]
    for command in commands:
        done = door.run(*command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert "How much did the Northgate Bridge cost?" in (tmp_path / "report.html").read_text("utf-8")
