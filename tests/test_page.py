"""The page, driven in a real Chromium against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import openai
import pytest
import uvicorn
from mcp import Client

from rag.records import Answer, Answered, Event, Found, Passage, Sentence, Source, Token, Withheld
from rag.settings import ServiceSettings, Settings
from rag.store.contents import to_rows
from rag.store.writer import Writer
from rag.wiring import open_answerer, open_indexer
from service.app import create_app
from service.keys import open_keys
from service.pages import HEADERS, page_routes
from tests.conftest import only_in_long_runs, quick_settings_for, some

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

CHROMIUM = next(
    (path for path in (Path("/usr/bin/chromium"), Path("/usr/bin/chromium-browser")) if path.exists()), None
)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run --disable-quic"
).split()
PATIENCE = 60_000  # milliseconds that anything may take
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
LOOKS = [(WIDE, "light"), (PHONE, "dark"), (WIDE, "dark"), (PHONE, "light")]
ATTACK = "<img src=x onerror=\"window.hit='attack'\"><script>window.hit='attack'</script>"
DOCUMENTS = {
    "owl.txt": (
        "🦉🦉 Notes 😀\r\n\r\n"
        "Marta Quist 🔭 founded the 𝒬 Quillfeather Observatory in 1931. 🦉 It closed in 1950. 😀\r\n"
    ),
    "long.txt": "".join(f"Day {day} was wet. 🌧\n" for day in range(2500)),
    f"bell {ATTACK.replace('/', '')}.md": (
        f"# The Grimsby bell {ATTACK}\n\nThe Grimsby bell weighs 412 kg {ATTACK} today.\n"
    ),
}

Page = Any


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        yield started
        started.close()


@contextlib.contextmanager
def serving(settings: Settings, answers: Callable[[Settings], Any] = open_answerer, port: int = 0) -> Iterator[str]:
    """The address of a server in a thread."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings, answers), log_config=None, timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=url, timeout=60) as client:
                while client.get("/healthz").status_code != 200:
                    time.sleep(0.05)
            yield url
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def seeds(seeds_index: Path) -> Iterator[str]:
    with serving(quick_settings_for(seeds_index)) as url:
        yield url


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over sources with marks beyond the first plane, and with HTML where no HTML belongs."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "documents").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "documents" / name).write_bytes(text.encode())
    settings = quick_settings_for(folder / "index")
    with contextlib.closing(open_indexer(settings)) as indexer:
        assert len(indexer.run([folder / "documents"], lambda _: None).added) == len(DOCUMENTS)
    with serving(settings) as url:
        yield url


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Page]]:
    """Opens pages, and fails where one of them raised an error or was refused something by its own policy."""
    with contextlib.ExitStack() as stack:
        faults: list[str] = []

        def opened(url: str, size: dict[str, int] = WIDE, **more: Any) -> Page:
            context = browser.new_context(viewport=size, permissions=["clipboard-read", "clipboard-write"], **more)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda told: faults.append(told.text) if "Content Security" in told.text else None)
            page.goto(url)
            return page

        yield opened
        assert faults == []


def ask(page: Page, question: str) -> None:
    turns = page.locator(".turn").count()
    page.fill("#question", question)
    page.press("#question", "Enter")
    settled(page, turns + 1)


def settled(page: Page, turns: int = 1) -> None:
    page.locator(f".turn:nth-child({turns}) .turn-foot:not([hidden])").wait_for()


def record(url: str, question: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.post(f"{url}/v1/ask", json={"question": question}, timeout=60).json()
    return found


def marked(page: Page) -> str:
    page.locator("#pane mark").wait_for()
    text: str = page.locator("#pane mark").evaluate("mark => mark.textContent")
    return text


def unnumbered(text: str) -> str:
    return re.sub(r"\s*\[?\d\]?(?=[\s.;,\d\[]|$)", "", text)


# ---- what is served ----------------------------------------------------------------------------------------------


def test_the_page_and_its_parts_are_served_with_their_types_and_a_strict_policy(seeds: str) -> None:
    types = {"": "text/html", "page/page.css": "text/css", "page/page.js": "text/javascript", "page/icon.svg": "image/"}
    with httpx.Client(base_url=seeds) as client:
        for path, kind in types.items():
            response = client.get(f"/{path}")
            assert response.status_code == 200, path
            assert response.headers["content-type"].startswith(kind)
            assert {name: response.headers[name] for name in HEADERS} == HEADERS
            again = client.get(f"/{path}", headers={"If-None-Match": f'"other", W/{response.headers["etag"]}'})
            assert (again.status_code, again.content) == (304, b"")
            assert client.head(f"/{path}").headers["content-length"] == str(len(response.content))
        for nothing in ("page/", "page/index.html", "page/../pages.py", "page/%2e%2e/pages.py", "page/page.js/"):
            assert client.get(f"/{nothing}").status_code == 404, nothing


def test_the_page_loads_nothing_from_elsewhere_and_holds_no_inline_script_or_style() -> None:
    folder = Path(__file__).parent.parent / "service" / "page"
    served = {route.path for route in page_routes().routes}  # type: ignore[attr-defined]
    assert served == {"/", *(f"/page/{file.name}" for file in folder.iterdir() if file.name != "index.html")}
    for file in folder.iterdir():
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|@import", text), file
    page = (folder / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page)


# ---- asking and reading ------------------------------------------------------------------------------------------


# Chromium keeps no body of a stream that it could give afterwards, so what the page reads is read beside it.
HEAR = """() => {
    const plain = window.fetch
    window.fetch = async (...asked) => {
        const response = await plain(...asked)
        if (String(asked[0]).endsWith("v1/ask")) window.heard = response.clone().text()
        return response
    }
}"""


def openais_record(url: str, question: str) -> Any:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none needed", max_retries=0)
    messages: Any = [{"role": "user", "content": question}]
    return (client.chat.completions.create(model="builtin", messages=messages).model_extra or {})["whosays"]


def mcps_record(url: str, question: str) -> Any:
    async def talk() -> Any:
        async with Client(f"{url}/mcp") as client:
            return (await client.call_tool("ask", {"question": question})).structured_content

    # Playwright keeps a loop running in this thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, talk()).result()


def last_event(streamed: str) -> Any:
    name, data = streamed.strip().rpartition("\n\n")[2].split("\n")
    assert name == "event: answer"
    return json.loads(data.removeprefix("data: "))


def curls_record(url: str, question: str) -> Any:
    body = json.dumps({"question": question, "stream": True})
    command = ["curl", "-sN", f"{url}/v1/ask", "-H", "Content-Type: application/json", "-d", body]
    return last_event(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    "question",
    some(["What was Scale AI's last valuation?", "Who founded Scale AI?", "How many moons has Jupiter?"], 1),
)
def test_openais_client_mcps_client_curl_and_the_page_get_one_record(
    seeds: str, open_page: Callable[..., Page], question: str
) -> None:
    page = open_page(seeds)
    page.evaluate(HEAR)
    ask(page, question)
    pages = last_event(page.evaluate("() => window.heard"))
    records = [get(seeds, question) for get in (record, openais_record, mcps_record, curls_record)]
    for each in (pages, *records):
        assert each.pop("timings_ms")["total"] > 0
    assert records == [pages] * 4
    assert unnumbered(page.inner_text(".prose")) == unnumbered(pages["text"])


def test_an_answer_is_the_record_and_a_chip_opens_its_sentence(seeds: str, open_page: Callable[..., Page]) -> None:
    page = open_page(seeds)
    page.locator(".example").first.wait_for()
    ask(page, "Who founded Scale AI?")
    answer = record(seeds, "Who founded Scale AI?")
    assert unnumbered(page.inner_text(".prose")) == unnumbered(answer["text"])
    assert page.inner_text(".short") == answer["short"] == "Alexandr Wang"
    chips = page.locator(".prose a.chip")
    assert [int(number) for number in chips.all_inner_texts()] == [each["number"] for each in answer["citations"]]

    first, second, third = answer["citations"]
    chips.nth(1).hover()
    page.locator("#card:not([hidden])").wait_for()
    assert page.locator("#card .card-quote").evaluate("card => card.textContent") == second["quote"]
    chips.nth(1).click()
    assert marked(page) == second["quote"]
    assert page.locator("mark .words").inner_text() == "Alexandr Wang"
    assert page.locator("mark").evaluate(
        "mark => { const at = mark.getBoundingClientRect(), in_ = document.querySelector('#pane-body')"
        ".getBoundingClientRect(); return at.top >= in_.top && at.bottom <= in_.bottom }"
    )
    source = httpx.get(f"{seeds}/v1/sources/{second['source']}").json()["text"]
    assert page.locator(".source-text").evaluate("view => view.textContent") == source

    page.keyboard.press("n")
    sync_api.expect(page.locator("mark").first).to_have_text(third["quote"])
    assert page.locator(".prose a.chip[aria-current]").all_inner_texts() == ["3"]
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    sync_api.expect(page.locator("mark").first).to_have_text(first["quote"])
    page.keyboard.press("Escape")
    assert page.locator("#pane").is_hidden()
    assert page.evaluate("document.activeElement.className") == "chip"


def test_spans_count_code_points_and_not_utf_16_units(odd: str, open_page: Callable[..., Page]) -> None:
    page = open_page(odd)
    question = "Who founded the Quillfeather Observatory?"
    ask(page, question)
    (citation, *_) = record(odd, question)["citations"]
    assert "🔭" in citation["quote"] and citation["start"] > 0
    page.locator(".prose a.chip").first.click()
    assert marked(page) == citation["quote"]
    assert page.locator(".source-text").evaluate("view => view.textContent") == DOCUMENTS["owl.txt"]


def test_what_a_source_holds_is_shown_as_text(odd: str, open_page: Callable[..., Page]) -> None:
    page = open_page(odd)
    ask(page, "How much does the Grimsby bell weigh?")
    assert ATTACK in page.inner_text(".cited .quote")
    page.locator(".prose a.chip").first.hover()
    page.locator("#card:not([hidden])").wait_for()
    page.locator(".prose a.chip").first.click()
    assert ATTACK in marked(page)
    page.click("#list")
    page.locator(".source-row").first.wait_for()
    assert "<img" in page.inner_text("#pane-body")
    page.goto(f"{odd}/#q={quote(ATTACK)}")
    page.reload()
    settled(page)
    assert page.inner_text(".question") == ATTACK
    assert page.evaluate("window.hit") is None
    assert page.locator("main img, main script, aside img, aside script").count() == 0


def test_a_disputed_answer_shows_who_says_what_and_when(seeds: str, open_page: Callable[..., Page]) -> None:
    page = open_page(seeds)
    ask(page, "What was Scale AI's last valuation?")
    answer = record(seeds, "What was Scale AI's last valuation?")
    assert page.inner_text(".verdict") == "The sources disagree"
    groups = page.locator(".positions tbody")
    assert groups.count() == len(answer["positions"]) == 2
    for index, position in enumerate(answer["positions"]):
        group = groups.nth(index)
        assert group.locator(".value").inner_text() == position["value"]
        assert group.locator("tr").count() == len(position["sources"])
    assert "8 June 2025" in page.inner_text(".positions")
    assert "approximately $14 billion" in page.locator(".cited .words").all_inner_texts()
    page.locator(".positions a.chip").last.click()
    assert "$7.3 billion" in marked(page)
    assert page.locator("mark .words").inner_text() == "$7.3 billion"


def test_a_refusal_shows_the_nearest_passages_as_no_answer(seeds: str, open_page: Callable[..., Page]) -> None:
    page = open_page(seeds)
    ask(page, "How many moons has Jupiter?")
    nearest = record(seeds, "How many moons has Jupiter?")["nearest"]
    assert page.inner_text(".prose") == "The sources do not say."
    assert page.inner_text(".nearest h3") == "The nearest passages, which are not an answer"
    assert page.locator(".nearest li").count() == len(nearest) and page.locator("main a.chip").count() == 0
    page.locator(".nearest a").first.click()
    assert marked(page) == nearest[0]["text"]


def test_a_follow_up_is_read_with_what_came_before_and_a_link_reopens_both(
    seeds: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(seeds)
    ask(page, "Who founded Scale AI?")
    ask(page, "When was it founded?")
    assert "When was Scale AI founded?" in page.inner_text(".turn:nth-child(2) .rewritten")
    assert page.inner_text(".turn:nth-child(2) .short") == "2016"
    page.locator(".turn:nth-child(2) .actions button", has_text="Copy link").click()
    page.locator(".turn:nth-child(2) .actions button", has_text="Copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    other = open_page(link)
    settled(other, 2)
    assert other.inner_text(".turn:nth-child(2) .short") == "2016"
    page.go_back()
    sync_api.expect(page.locator(".turn")).to_have_count(1)


def test_an_answer_is_copied_with_its_sources(seeds: str, open_page: Callable[..., Page]) -> None:
    page = open_page(seeds)
    ask(page, "What was Scale AI's last valuation?")
    answer = record(seeds, "What was Scale AI's last valuation?")
    for kind in ("Copy text", "Copy Markdown"):
        page.get_by_role("button", name=kind).click()
        page.get_by_role("button", name="Copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert answer["text"] in copied
        for citation in answer["citations"]:
            assert citation["quote"] in copied and f"[{citation['number']}] " in copied and citation["source"] in copied
        page.get_by_role("button", name=kind).wait_for()


def test_an_address_opens_a_source_at_a_span(odd: str, open_page: Callable[..., Page]) -> None:
    text = DOCUMENTS["owl.txt"]
    start = text.index("It closed")
    page = open_page(f"{odd}/#source=owl.txt&start={start}&end={start + 18}")
    assert marked(page) == "It closed in 1950."
    assert open_page(f"{odd}/#source=none.txt&start=0&end=5").locator("#pane .problem").inner_text()


def test_a_span_far_into_a_long_source_is_marked_and_in_sight(odd: str, open_page: Callable[..., Page]) -> None:
    text = DOCUMENTS["long.txt"]
    start = text.index("Day 2400")
    end = text.index("Day 2402")
    page = open_page(f"{odd}/#source=long.txt&start={start}&end={end}")
    assert marked(page) == text[start:end]
    assert page.locator(".block").count() > 2
    assert page.locator(".source-text").evaluate("view => view.textContent") == text
    sync_api.expect(page.locator("mark").first).to_be_in_viewport()


# ---- what a scripted answer can show -----------------------------------------------------------------------------


class Scripted:
    """An answerer whose answers are a script."""

    def __init__(self, script: Callable[[str], Iterator[Event]]) -> None:
        self.script = script

    def stream(self, question: str, history: Any = (), **_: Any) -> Iterator[Event]:
        yield from self.script(question)

    def close(self) -> None:
        """Nothing is held."""


def test_an_answer_streams_in_and_can_be_stopped(seeds_index: Path, open_page: Callable[..., Page]) -> None:
    go_on = threading.Event()

    def slow(question: str) -> Iterator[Event]:
        yield Found(())
        yield Token("It rained [1].")
        go_on.wait(30)
        yield Token(" It shone [2].")
        yield Answered(Answer(question, "answered", "It rained. It shone."))

    with serving(quick_settings_for(seeds_index), lambda _: Scripted(slow)) as url:
        page = open_page(url)
        page.fill("#question", "How wet?")
        page.press("#question", "Enter")
        page.locator(".prose", has_text="It rained").wait_for()
        assert page.locator(".prose .chip.waiting").count() == 1
        assert page.locator(".reply[aria-busy]").count() == 1
        page.get_by_role("button", name="Stop").click()
        page.locator(".notice", has_text="Stopped").wait_for()
        go_on.set()
        page.get_by_role("button", name="Ask again").click()
        settled(page)
        assert page.inner_text(".prose") == "It rained. It shone."


def test_withheld_claims_are_folded_away(seeds_index: Path, open_page: Callable[..., Page]) -> None:
    def held(question: str) -> Iterator[Event]:
        answer = Answer(question, "answered", "It rained.")
        yield Answered(replace(answer, withheld=(Withheld("It snowed.", "not in the sources"),)))

    with serving(quick_settings_for(seeds_index), lambda _: Scripted(held)) as url:
        page = open_page(url)
        ask(page, "How wet?")
        assert not page.get_by_text("It snowed.").is_visible()
        page.get_by_text("1 claim withheld").click()
        assert page.get_by_text("It snowed.").is_visible()


# ---- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_problem_is_told_in_its_place(seeds: str, open_page: Callable[..., Page]) -> None:
    page = open_page(seeds)
    page.fill("#question", "why " * 1001)
    page.press("#question", "Enter")
    problem = page.locator(".turn .problem")
    problem.wait_for()
    assert "4,000 is the most" in problem.inner_text() and "Shorten it." in problem.inner_text()
    page.get_by_role("button", name="Edit the question").click()
    assert page.input_value("#question").startswith("why why") and page.locator(".turn").count() == 0


def test_a_server_that_has_gone_is_told_of_until_it_is_back(seeds_index: Path, open_page: Callable[..., Page]) -> None:
    with serving(quick_settings_for(seeds_index)) as url:
        page = open_page(url)
        page.locator(".example").first.wait_for()
    page.fill("#question", "Who founded Scale AI?")
    page.press("#question", "Enter")
    page.locator(".turn .problem", has_text="cannot be reached").wait_for()
    assert page.locator("#offline").bounding_box()["y"] < 100
    with serving(quick_settings_for(seeds_index), port=int(url.rpartition(":")[2])):
        page.locator("#offline").wait_for(state="hidden")
        page.get_by_role("button", name="Try again").click()
        settled(page)
        assert page.inner_text(".short") == "Alexandr Wang"


def keyed(index: Path) -> tuple[Settings, str, str]:
    settings = replace(quick_settings_for(index), service=ServiceSettings(require_keys="always"))
    return settings, open_keys(settings).add("asker", "asker"), open_keys(settings).add("admin", "admin")


def test_a_key_is_asked_for_and_kept_for_the_tab(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    settings, asker, _ = keyed(one_source(tmp_path / "index"))
    with serving(settings) as url:
        page = open_page(url)
        key = page.get_by_role("textbox", name="Key")
        key.fill("wrong")
        with page.expect_response(lambda response: "v1/sources" in response.url and response.status == 401):
            page.get_by_role("button", name="Use this key").click()
        sync_api.expect(key).to_have_value("")  # the page has asked again
        key.fill(asker)
        page.get_by_role("button", name="Use this key").click()
        page.locator(".welcome .problem").wait_for(state="detached")
        assert "1 source" in page.inner_text("#lead")
        assert page.evaluate("[sessionStorage.length, Object.values(localStorage).join()]") == [1, ""]
        ask(page, "Who founded the Quillfeather Observatory?")


def test_a_document_is_added_with_the_key_of_an_admin(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    settings, _, admin = keyed(one_source(tmp_path / "index"))
    settings = replace(settings, service=ServiceSettings())
    (tmp_path / "bell.txt").write_text("The Grimsby bell weighs 412 kg.\n", "utf-8")
    with serving(settings) as url:
        page = open_page(url)
        page.click("#list")
        page.get_by_text("Add documents").click()
        page.get_by_label("Key of an admin").fill(admin)
        page.get_by_label("Documents").set_input_files(tmp_path / "bell.txt")
        page.get_by_role("button", name="Add", exact=True).click()
        page.locator(".source-row", has_text="bell.txt").wait_for()
        page.keyboard.press("Escape")
        ask(page, "How much does the Grimsby bell weigh?")
        assert page.inner_text(".short") == "412 kg"


def one_source(folder: Path) -> Path:
    documents = folder.parent / "documents"
    documents.mkdir()
    (documents / "owl.txt").write_bytes(DOCUMENTS["owl.txt"].encode())
    with contextlib.closing(open_indexer(quick_settings_for(folder))) as indexer:
        indexer.run([documents], lambda _: None)
    return folder


# ---- many sources, small screens, all readers --------------------------------------------------------------------


@only_in_long_runs
def test_five_thousand_sources_can_be_searched_and_paged(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    writer = Writer(tmp_path / "index", "digest", "one direction", 2, rebuild=False)
    with contextlib.closing(writer):
        writer.begin()
        for number in range(5000):
            text = f"Report {number} says that it rained."
            source = Source(f"report-{number:04}.txt", f"/docs/{number}", text, f"digest {number}", f"Report {number}")
            passage = Passage(source.name, 0, len(text), text, (Sentence(0, len(text)),))
            writer.put(source, "recipe", [passage], [text.encode()], to_rows(np.array([[1, 0]], dtype=np.float32)))
        writer.finish()
    with serving(quick_settings_for(tmp_path / "index"), lambda _: Scripted(lambda _: iter(()))) as url:
        page = open_page(url)
        page.click("#list")
        page.locator(".source-rows").wait_for()
        assert page.inner_text("#pane-body > .count") == "5,000 sources"
        assert page.locator(".source-row").count() == 50
        page.get_by_role("button", name="Next").click()
        page.locator(".pager", has_text="51–100 of 5,000").wait_for()
        page.get_by_label("Search the sources").fill("report 4321")
        page.locator("#pane-body > .count", has_text="1 of 5,000 sources").wait_for()
        page.locator(".source-row").click()
        page.locator(".source-text", has_text="Report 4321 says").wait_for()


def test_on_a_phone_the_source_is_a_sheet_that_keeps_the_focus(seeds: str, open_page: Callable[..., Page]) -> None:
    page = open_page(seeds, PHONE)
    ask(page, "What was Scale AI's last valuation?")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".prose a.chip").first.click()
    marked(page)
    assert page.get_attribute("#pane", "aria-modal") == "true" and page.evaluate("document.querySelector('main').inert")
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('#pane').contains(document.activeElement)")
    page.keyboard.press("Escape")
    assert not page.evaluate("document.querySelector('main').inert")


@pytest.mark.parametrize(("size", "colours"), some(LOOKS, 1))
def test_axe_finds_nothing_serious(
    seeds: str, open_page: Callable[..., Page], size: dict[str, int], colours: str
) -> None:
    page = open_page(seeds, size, color_scheme=colours, reduced_motion="reduce")

    def check(state: str) -> None:
        found = axe.Axe().run(page).response["violations"]
        told = [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]
        assert told == [], state

    page.locator(".example").first.wait_for()
    check("start")
    ask(page, "Who founded Scale AI?")
    page.locator(".prose a.chip").first.focus()
    check("answered")
    page.locator(".prose a.chip").first.click()
    marked(page)
    check("source")
    page.keyboard.press("Escape")
    page.click("#list")
    page.get_by_text("Add documents").click()
    check("list")
    page.keyboard.press("Escape")
    ask(page, "What was Scale AI's last valuation?")
    ask(page, "How many moons has Jupiter?")
    page.fill("#question", "why " * 1001)
    page.press("#question", "Enter")
    page.locator(".turn .problem").wait_for()
    check("thread with dispute, refusal and problem")
    page.click("#keys")
    check("help")


def test_colours_can_be_chosen_and_stay(seeds: str, open_page: Callable[..., Page]) -> None:
    page = open_page(seeds, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    dark = page.evaluate(ground)
    assert light != dark and page.get_attribute("#theme", "aria-pressed") == "true"
    page.reload()
    assert page.evaluate(ground) == dark


def test_what_a_model_says_and_the_sources_do_not_can_be_unfolded(
    seeds_index: Path, open_page: Callable[..., Page]
) -> None:
    with serving(quick_settings_for(seeds_index, model="offline/lie")) as url:
        page = open_page(url)
        ask(page, "Who founded Scale AI?")
        told = page.locator(".answer").inner_text()
        assert "Worded by offline/lie, each claim checked." in told
        withheld = page.locator("details.withheld")
        assert not withheld.locator("li").first.is_visible()
        withheld.locator("summary").click()
        assert withheld.locator("li").first.is_visible()
    with serving(quick_settings_for(seeds_index, model="nonsense/model", fallback="builtin")) as url:
        page = open_page(url)
        ask(page, "Who founded Scale AI?")
        assert "Answered without a language model: There is no model named" in page.locator(".answer").inner_text()
