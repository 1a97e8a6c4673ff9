"""The report: every case is on the page and escaped, equal runs give equal bytes, and it reads well in Chromium."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.casebook import Piece, pages, pieces, slice_around
from eval.cases import load_cases
from eval.html import numbered, render, write_html
from eval.plots import interval, plots, rate
from eval.provenance import Origin
from eval.run import run
from eval.trace import ask_traced
from rag.errors import BadInput, SourceUnknown
from rag.wiring import open_answerer, open_store
from tests.conftest import settings_for, some

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

CHROMIUM = next(
    (path for path in (Path("/usr/bin/chromium"), Path("/usr/bin/chromium-browser")) if path.exists()), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 60_000  # milliseconds that anything may take
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 400, "height": 850}
LOOKS = [(WIDE, "dark"), (PHONE, "light"), (WIDE, "light"), (PHONE, "dark")]
ATTACK = '<script>window.hit=1</script><img src=x onerror="window.hit=1">{{ 7 * 7 }}'
GOLD = Path(__file__).parent.parent / "eval/gold/seeds.jsonl"
PER_KIND = 1

Record = dict[str, Any]


@pytest.fixture(scope="module")
def source_text(seeds_index: Path) -> Callable[[str], str]:
    store = open_store(settings_for(seeds_index))
    return cache(lambda name: store.source(name).text)


@pytest.fixture(scope="module")
def run_record(seeds_index: Path, source_text: Callable[[str], str]) -> Record:
    """The record of a run over a few cases of every kind, as a run file holds it."""
    settings = settings_for(seeds_index)
    gold = load_cases(GOLD, source_text)
    kinds = dict.fromkeys(case.kind for case in gold)
    chosen = [case for kind in kinds for case in [c for c in gold if c.kind == kind][:PER_KIND]]
    with contextlib.closing(open_answerer(settings)) as answerer:
        finished = run(chosen, ask_traced(answerer), source_text, lambda _: None, verify=answerer.verifier.verify)
    origin = Origin("2025-06-08T12:00:00Z", GOLD.name, "f00d", {"split": "all"}, settings.to_json(), "7", "builtin")
    record: Record = json.loads(json.dumps(finished.to_json(origin)))
    return record


@pytest.fixture(scope="module")
def attacked(run_record: Record) -> Record:
    """The run with markup wherever somebody else's words may stand, a failed case and a citation out of its source."""
    record = copy.deepcopy(run_record)
    record["gold"] = record["model"] = ATTACK
    record["settings"]["index"] = ATTACK
    wrong = next(case for case in record["cases"] if case["answer"]["citations"])
    wrong["case"] |= {"question": ATTACK, "id": ATTACK, "history": [{"question": ATTACK, "answer": ATTACK}]}
    wrong["case"] |= {"any_of": [[ATTACK]], "none_of": [ATTACK]}
    wrong["answer"] |= {"text": f"{ATTACK} [1]", "short": ATTACK, "missing": [ATTACK], "rewritten": ATTACK}
    wrong["answer"] |= {"withheld": [{"text": ATTACK, "reason": ATTACK}], "fallback": ATTACK}
    wrong["answer"]["citations"][0] |= {"title": ATTACK, "quote": ATTACK, "start": 10**9, "end": 10**9 + 5}
    wrong["score"] |= {"faults": [ATTACK], "correct": False}
    failed = record["cases"][-1]
    failed |= {"answer": None, "score": None, "trace": None}
    failed["failure"] = {"case": failed["case"]["id"], "error": f"bad_question: {ATTACK}", "exit_code": 2}
    return record


# ---- what is on the page ---------------------------------------------------------------------


def test_every_case_is_on_the_page_and_the_wrong_ones_come_first(run_record: Record, source_text: Any) -> None:
    shown = pages(run_record["cases"], source_text)
    verdicts = [page.verdict for page in shown]
    assert verdicts == sorted(verdicts, key=["wrong", "failed", "right"].index)
    assert sorted(page.number for page in shown) == list(range(1, len(run_record["cases"]) + 1))
    sure = [page.answer["confidence"] for page in shown if page.verdict == "wrong" and page.answer]
    assert sure == sorted(sure, reverse=True)
    html = render(run_record, source_text)
    assert html.count('<details class="case') == len(run_record["cases"])
    assert all((page.stage is None) == (page.verdict == "right") for page in shown)


def test_a_citation_marks_exactly_its_quote_in_a_slice_of_its_source(run_record: Record, source_text: Any) -> None:
    cited = [cited for page in pages(run_record["cases"], source_text) for cited in page.cited]
    assert cited
    for each in cited:
        assert each.exact
        assert "".join(piece.text for piece in each.pieces if piece.marked) == each.record["quote"]
        whole = "".join(piece.text for piece in each.pieces).removeprefix("… ").removesuffix(" …")
        assert whole in source_text(each.record["source"])


def test_equal_runs_give_equal_bytes(run_record: Record, source_text: Any, tmp_path: Path) -> None:
    write_html(run_record, source_text, tmp_path / "one.html")
    write_html(copy.deepcopy(run_record), source_text, tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_the_page_is_one_file_that_asks_for_nothing(run_record: Record, source_text: Any) -> None:
    html = render(run_record, source_text)
    assert "default-src 'none'" in unescape(html)
    # The names of SVG's namespaces are no addresses to fetch.
    addresses = set(re.findall(r"""(?:src|href|url|xmlns(?::xlink)?)\s*[=(]\s*["']?([^"')\s>]+)""", html))
    outside = {address for address in addresses if not address.startswith(("#", "data:,"))}
    assert outside == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_nothing_that_somebody_wrote_is_markup(attacked: Record, source_text: Any) -> None:
    html = render(attacked, source_text)
    assert "<script>window.hit" not in html
    assert "<img" not in html
    assert "{{ 7 * 7 }}" in html
    assert "bad_question: &lt;script&gt;" in html


def test_a_citation_out_of_its_source_is_said_to_be_so(attacked: Record, source_text: Any) -> None:
    assert "the span does not hold the quote" in render(attacked, source_text)


def test_figures_have_their_intervals_and_stand_alone_where_there_are_none(
    run_record: Record, source_text: Any
) -> None:
    record = run_record | {"summary": {"n": 4, "failed": 0, "recall@5": {"rate": 0.5, "low": 0.4, "high": 0.6, "n": 4}}}
    record["summary"] |= {"position_f1": 0.25, "correct": {"rate": 0.5, "part": 2, "whole": 4}, "ece": None}
    html = render(record, source_text)
    assert re.search(r"Recall@5.*?50\.0.*?40\.0 – 60\.0.*?4 cases", html, re.DOTALL)
    assert re.search(r"Position F1.*?25\.0.*?>–<", html, re.DOTALL)
    assert "2 of 4" in html
    assert "Calibration error" not in html


def test_every_figure_of_a_run_has_a_group(run_record: Record, source_text: Any) -> None:
    assert "Other figures" not in render(run_record, source_text)


def test_a_run_without_traces_and_without_its_sources_still_reads(run_record: Record) -> None:
    def gone(name: str) -> str:
        raise SourceUnknown(f"There is no source {name!r}.")

    bare = copy.deepcopy(run_record)
    for case in bare["cases"]:
        del case["trace"]
    assert "Trace of scores" not in render(bare, gone)
    assert render(run_record, gone).count('<details class="case') == len(run_record["cases"])


def test_a_run_whose_every_case_failed_still_reads(attacked: Record, source_text: Any) -> None:
    nothing: Record = {"summary": {"n": 0, "failed": 1}, "kinds": {}, "reliability": [], "risk_coverage": []}
    record = attacked | nothing | {"cases": attacked["cases"][-1:], "suggestion": None}
    assert "1 failed and counted in no figure" in render(record, source_text)


def test_a_report_that_cannot_be_written_says_so(run_record: Record, source_text: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        write_html(run_record, source_text, tmp_path / "no" / "folder.html")


# ---- the parts -------------------------------------------------------------------------------


def test_words_are_cut_where_marks_and_gold_begin_and_end() -> None:
    text = "Anna founded Acme."
    assert pieces(text, 10, ("a.txt", 10, 14), [("a.txt", 15, 22), ("b.txt", 10, 28)], "a.txt") == (
        Piece("Anna", marked=True),
        Piece(" "),
        Piece("founded", gold=True),
        Piece(" Acme."),
    )


@given(st.text(max_size=60), st.data())
def test_pieces_joined_are_the_text_and_the_marked_ones_are_what_is_marked(text: str, data: st.DataObject) -> None:
    spans = st.tuples(st.just("a"), st.integers(0, len(text)), st.integers(0, len(text)))
    ordered = spans.map(lambda span: (span[0], min(span[1:]), max(span[1:])))
    marked, gold = data.draw(ordered), data.draw(st.lists(ordered, max_size=3))
    made = pieces(text, 0, marked, gold, "a")
    assert "".join(piece.text for piece in made) == text
    assert "".join(piece.text for piece in made if piece.marked) == text[marked[1] : marked[2]]


@given(st.text(alphabet="ab \n", max_size=900), st.data())
def test_a_slice_holds_what_it_is_around(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    begin, stop = slice_around(text, start, end)
    assert 0 <= begin <= start <= end <= stop <= len(text)


def test_an_answer_is_cut_at_its_numbers() -> None:
    assert numbered("Wet [1].") == [("Wet ", None), ("[1]", 1), (".", None)]


@pytest.mark.parametrize(
    ("figure", "value", "ends"),
    [
        pytest.param({"rate": 0.5, "part": 1, "whole": 2}, 0.5, None, id="counted"),
        pytest.param({"rate": None, "part": 0, "whole": 0}, None, None, id="of nothing"),
        pytest.param({"value": 0.5, "low": 0.25, "high": 1, "n": 4}, 0.5, (0.25, 1.0), id="with its interval"),
        pytest.param({"rate": 0.5, "interval": {"low": 0.0, "high": 1.0}}, 0.5, (0.0, 1.0), id="interval inside"),
        pytest.param({"rate": 0.5, "interval": None}, 0.5, None, id="no interval"),
        pytest.param(0.25, 0.25, None, id="a number"),
        pytest.param(None, None, None, id="nothing"),
    ],
)
def test_a_figure_is_read_however_much_is_known_of_it(figure: Any, value: Any, ends: Any) -> None:
    assert (rate(figure), interval(figure)) == (value, ends)


def test_plots_are_markup_in_the_pages_colours_with_ids_of_their_own(run_record: Record) -> None:
    drawn = plots(run_record)
    assert [plot.name for plot in drawn] == ["kinds", "risk", "reliability", "latency"]
    ids = [id for plot in drawn for id in re.findall(r'\bid="([^"]+)"', plot.svg)]
    assert len(ids) == len(set(ids))
    for plot in drawn:
        assert plot.svg.startswith("<svg")
        assert "var(--ink)" in plot.svg
        assert not re.search(r"#[0-9a-f]{6}\b", plot.svg)
        assert "<metadata" not in plot.svg


def test_a_run_without_answers_has_no_plots() -> None:
    assert plots({"summary": {}, "kinds": {}}) == []


# ---- in Chromium -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def open_report(browser: Any, source_text: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens the report of a run; fails where it complained in the console or asked for anything but itself."""
    with contextlib.ExitStack() as stack:
        faults: list[str] = []
        asked: list[str] = []

        def opened(record: Record, size: dict[str, int] = WIDE, **more: Any) -> Any:
            path = tmp_path / "report.html"
            write_html(record, source_text, path)
            context = browser.new_context(viewport=size, **more)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda told: faults.append(told.text))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(path.as_uri())
            return page

        yield opened
        assert faults == []
        assert [url for url in asked if not url.endswith("/report.html") and url != "data:,"] == []


def visible(page: Any) -> list[str]:
    told: list[str] = page.eval_on_selector_all(
        "details.case:not([hidden])", "all => all.map(one => `${one.dataset.kind} ${one.dataset.verdict}`)"
    )
    return told


def test_the_filters_narrow_the_cases_and_say_how_many_are_left(
    run_record: Record, open_report: Callable[..., Any]
) -> None:
    page = open_report(run_record)
    every = visible(page)
    assert len(every) == len(run_record["cases"])
    page.select_option("[name=kind]", "unanswerable")
    assert visible(page) == [one for one in every if one.startswith("unanswerable")]
    page.click("[type=reset]")
    page.select_option("[name=verdict]", "right")
    right = visible(page)
    assert right == [one for one in every if one.endswith("right")]
    assert page.inner_text("#told") == f"{len(right)} of {len(every)} cases"
    page.click("[type=reset]")
    page.fill("[name=words]", "no case holds these words")
    assert visible(page) == []
    assert page.is_visible("#none")
    page.click("[type=reset]")
    sync_api.expect(page.locator("details.case[hidden]")).to_have_count(0)


def test_a_stage_shows_the_cases_that_it_lost(attacked: Record, open_report: Callable[..., Any]) -> None:
    page = open_report(attacked)
    for link in page.locator("a[data-stage]").all():
        count = int(link.evaluate("link => link.parentElement.querySelector('.n').textContent"))
        link.click()
        sync_api.expect(page.locator("details.case:not([hidden])")).to_have_count(count)


def test_a_case_opens_by_its_address_and_a_number_leads_to_the_quote(
    run_record: Record, open_report: Callable[..., Any]
) -> None:
    page = open_report(run_record)
    number = next(n for n, case in enumerate(run_record["cases"], 1) if case["answer"]["citations"])
    page.evaluate(f"location.hash = 'case-{number}'")
    page.wait_for_selector(f"#case-{number}[open] .text")
    page.click(f"#case-{number} .text a >> nth=0")
    quote = run_record["cases"][number - 1]["answer"]["citations"][0]["quote"]
    marks = page.locator(f"#case-{number}-1 mark")
    assert "".join(marks.all_text_contents()) == quote
    assert marks.first.is_visible()


def test_all_cases_open_and_close_at_once(run_record: Record, open_report: Callable[..., Any]) -> None:
    page = open_report(run_record)
    page.click("#toggle")
    assert page.locator("details.case[open]").count() == len(run_record["cases"])
    page.click("#toggle")
    assert page.locator("details.case[open]").count() == 0


def test_the_report_reads_without_script(run_record: Record, open_report: Callable[..., Any]) -> None:
    page = open_report(run_record, java_script_enabled=False)
    assert not page.is_visible("#filters")
    page.locator("details.case > summary").first.click()
    assert page.locator("details.case .body").first.is_visible()


def test_markup_in_a_run_does_nothing(attacked: Record, open_report: Callable[..., Any]) -> None:
    page = open_report(attacked)
    page.click("#toggle")
    assert page.evaluate("window.hit") is None
    assert ATTACK in page.inner_text("body")


@pytest.mark.parametrize(("size", "scheme"), some(LOOKS, 1))
def test_nothing_overflows_and_axe_finds_nothing(
    size: dict[str, int], scheme: str, attacked: Record, open_report: Callable[..., Any]
) -> None:
    page = open_report(attacked, size, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = axe.Axe().run(page).response["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
