"""The HTTP door, asked over a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from fastapi.openapi.models import OpenAPI
from pydantic import TypeAdapter

from rag.errors import BackendMissing, BadSettings
from rag.records import Answer, Answered, Event, Found, Hit, Passage, Rewritten, Token
from rag.settings import ServiceSettings, Settings
from rag.wiring import open_answerer, open_indexer
from service.app import create_app, serve
from service.problems import all_kinds
from service.schemas import EXAMPLE_ANSWER, Problem
from tests.conftest import SEEDS, quick_settings_for, some

SEED_NAMES = sorted(path.name for path in SEEDS.iterdir())
QUESTIONS = (
    "Who founded Scale AI?",
    "What was Scale AI's last valuation?",
    "How much revenue did Scale AI make in 2024?",
    "What does Scale AI do?",
    "How many moons has Jupiter?",
    "When was Scale AI founded?",
    "Which companies are partners of Scale AI?",
    "How much may Meta invest in Scale AI?",
)
ASKED = some(QUESTIONS, 5)


# ---- a server in a process of its own, as `whosays serve` runs it ----------------------------------------------


class Process:
    """`serve` in a child process, its address, and what it logs."""

    def __init__(self, settings: Settings, log: Path) -> None:
        program = (
            "import json, sys\nfrom rag.settings import load_settings\nfrom service.app import serve\n"
            "serve(load_settings({}, flags=json.loads(sys.argv[1])))"
        )
        flags = {"index": settings.index, "embedding.cache": settings.embedding.cache}
        flags |= {f"service.{name}": value for name, value in asdict(settings.service).items()} | {"service.port": 0}
        flags |= {f"search.{name}": value for name, value in asdict(settings.search).items()}
        flags |= {f"language.{name}": value for name, value in asdict(settings.language).items()}
        flags |= {"model": settings.model, "log_level": settings.log_level}
        self.log = log
        self.child = subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(flags)],
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": str(SEEDS.parent)},
        )
        assert self.child.stdout is not None
        self.greeting = self.child.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", self.greeting)
        assert found, f"{self.greeting!r} {log.read_text()}"
        self.url = found[0]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        self.child.send_signal(how)
        return self.child.wait(30)


@contextlib.contextmanager
def process(settings: Settings, folder: Path) -> Iterator[Process]:
    running = Process(settings, folder / "log")
    try:
        yield running
    finally:
        running.child.kill()
        running.child.wait()


@pytest.fixture(scope="module")
def service(seeds_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with process(quick_settings_for(seeds_index), tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Process) -> Iterator[httpx.Client]:
    with service.client() as client:
        assert client.get("/readyz").status_code == 200, service.log.read_text()
        yield client


def ask(client: httpx.Client, question: str, **more: Any) -> dict[str, Any]:
    response = client.post("/v1/ask", json={"question": question, **more})
    assert response.status_code == 200, response.text
    record: dict[str, Any] = strictly(response.text)
    return record


def events(response: httpx.Response) -> list[tuple[str, Any]]:
    """The server-sent events of a response, read by line as many clients do."""
    assert response.headers["content-type"].startswith("text/event-stream")
    found: list[tuple[str, Any]] = []
    for block in "\n".join(response.iter_lines()).strip().split("\n\n"):
        name, data = block.split("\n")
        assert name.startswith("event: ") and data.startswith("data: "), block
        found.append((name.removeprefix("event: "), strictly(data.removeprefix("data: "))))
    return found


def stream(client: httpx.Client, question: str, **more: Any) -> list[tuple[str, Any]]:
    with client.stream("POST", "/v1/ask", json={"question": question, "stream": True, **more}) as response:
        assert response.status_code == 200
        return events(response)


def strictly(text: str) -> Any:
    """JSON without the NaN and Infinity that Python's parser lets pass."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "timings_ms"}


def assert_problem(response: httpx.Response, status: int, code: str) -> Problem:
    """The problem that a response holds; it has the status and the code, and tells nothing of the server's inside."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = Problem.model_validate(strictly(response.text), extra="forbid", strict=True)
    assert (response.status_code, problem.status, problem.code) == (status, status, code), problem
    assert problem.type == f"/docs#{code}"
    assert problem.title and problem.detail and problem.hint
    for inside in ("Traceback", 'File "', ".py", str(Path.home()) + "/", "/tmp", ".sqlite"):
        assert inside not in response.text
    return problem


# ---- asking ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """The answer to each question, asked one after the other."""
    return {question: ask(client, question) for question in ASKED}


@pytest.fixture(scope="module")
def told(client: httpx.Client) -> dict[str, list[tuple[str, Any]]]:
    """The events of the answer to each question."""
    return {question: stream(client, question) for question in ASKED}


@pytest.mark.parametrize("question", ASKED)
def test_the_stream_ends_in_the_answer_that_is_given_whole(whole: Any, told: Any, question: str) -> None:
    names = [name for name, _ in told[question]]
    assert names == ["hits", *["token"] * (len(names) - 2), "answer"]
    assert timeless(told[question][-1][1]) == timeless(whole[question])
    assert "".join(data["text"] for name, data in told[question] if name == "token") == whole[question]["text"]


def test_the_answer_is_the_very_record_that_the_house_gives(whole: Any, seeds_index: Path) -> None:
    answerer = open_answerer(quick_settings_for(seeds_index))
    for question, record in whole.items():
        assert timeless(record) == timeless(json.loads(json.dumps(answerer.ask(question).to_json())))
        assert list(record) == list(Answer.__dataclass_fields__)


def test_citations_hits_and_nearest_are_slices_of_the_sources_that_the_service_shows(
    client: httpx.Client, told: Any
) -> None:
    texts = {name: client.get(f"/v1/sources/{name}").json()["text"] for name in SEED_NAMES}
    cited = 0
    for (_, hits), *_, (_, record) in told.values():
        for citation in record["citations"]:
            assert texts[citation["source"]][citation["start"] : citation["end"]] == citation["quote"]
            cited += 1
        for passage in hits + record["nearest"]:
            assert texts[passage["source"]][passage["start"] : passage["end"]] == passage["text"]
    assert cited >= 5


def test_a_question_that_the_sources_do_not_answer_is_an_answer_and_no_error(whole: Any) -> None:
    record = whole["How many moons has Jupiter?"]
    assert (record["outcome"], record["citations"]) == ("not_in_sources", [])


def test_a_follow_up_is_understood_from_the_history_and_shown_rewritten(client: httpx.Client) -> None:
    history = [{"question": "Who founded Scale AI?", "answer": "Alexandr Wang founded Scale AI [1]."}]
    told = stream(client, "When did he do that?", history=history)
    assert [name for name, _ in told[:2]] == ["question", "hits"]
    assert told[0][1].keys() == {"question"}
    assert "2016" in ask(client, "When did he do that?", history=history)["text"]


def test_questions_asked_at_once_each_get_their_own_answer(client: httpx.Client, whole: Any) -> None:
    def asked(number: int) -> dict[str, Any]:
        question = ASKED[number]
        return timeless(stream(client, question)[-1][1] if number % 2 else ask(client, question))

    with ThreadPoolExecutor(len(ASKED)) as threads:
        together = list(threads.map(asked, range(len(ASKED))))
    assert together == [timeless(record) for record in whole.values()]


# ---- the sources ----------------------------------------------------------------------------------------------


def test_the_sources_are_listed_and_shown_as_they_stand_in_their_files(client: httpx.Client) -> None:
    listed = client.get("/v1/sources").json()
    assert (listed["total"], listed["offset"]) == (5, 0)
    assert [source["name"] for source in listed["sources"]] == SEED_NAMES
    for source in listed["sources"]:
        shown = client.get(f"/v1/sources/{source['name']}").json()
        assert shown.keys() == {"name", "title", "published", "text", "passages"}
        assert {**source, **shown, "passages": source["passages"]} == source | {"text": shown["text"]}
        assert len(shown["passages"]) == source["passages"]
        for passage in shown["passages"]:
            assert shown["text"][passage["start"] : passage["end"]].strip()
        assert shown["text"].encode() == (SEEDS / source["name"]).read_bytes()
        assert len(shown["text"]) == source["characters"]


def test_the_pages_of_the_list_join_to_the_whole(client: httpx.Client) -> None:
    whole = client.get("/v1/sources").json()["sources"]
    pages = [client.get("/v1/sources", params={"limit": 2, "offset": offset}).json() for offset in (0, 2, 4, 6)]
    assert [len(page["sources"]) for page in pages] == [2, 2, 1, 0]
    assert [source for page in pages for source in page["sources"]] == whole
    assert {page["total"] for page in pages} == {5}


NAMES = ("plain.txt", "deep/er/note.txt", "a b+c & d?.txt", "100% süß #1.txt", "日本.md", "dots.. .. .txt")


def test_a_source_may_have_any_name_that_a_file_can_have(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    for number, name in enumerate(NAMES):
        (documents / name).parent.mkdir(parents=True, exist_ok=True)
        (documents / name).write_text(f"This is document {number} of the tests. It says so itself.\n", "utf-8")
    settings = quick_settings_for(tmp_path / "index")
    index(documents, settings)
    with process(settings, tmp_path) as running, running.client() as client:
        listed = [source["name"] for source in client.get("/v1/sources").json()["sources"]]
        assert sorted(listed) == sorted(NAMES)
        for name in NAMES:
            shown = client.get(f"/v1/sources/{quote(name)}").json()
            assert shown["name"] == name
            assert shown["text"] == (documents / name).read_text("utf-8")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nowhere.txt", id="not indexed"),
        pytest.param("", id="empty"),
        pytest.param("..%2F..%2Fpyproject.toml", id="climbing"),
        pytest.param("%2Fetc%2Fhostname", id="absolute"),
        pytest.param("/etc/hostname", id="absolute, plain"),
        pytest.param("a%00b", id="NUL"),
        pytest.param("%FF%FE", id="not UTF-8"),
        pytest.param("%ED%A0%80", id="lone surrogate"),
        pytest.param("x" * 5000, id="long"),
    ],
)
def test_a_name_that_is_no_source_is_not_found_and_never_a_file(client: httpx.Client, name: str) -> None:
    assert_problem(client.get(f"/v1/sources/{name}"), 404, "source_unknown")


# ---- bad input ------------------------------------------------------------------------------------------------

BAD_BODIES = [
    pytest.param(b'{"question": ""}', 422, "bad_question", "", id="empty question"),
    pytest.param(b'{"question": " \\n\\t "}', 422, "bad_question", "", id="blank question"),
    pytest.param(json.dumps({"question": "why " * 25_000}).encode(), 422, "bad_question", "", id="100,000 characters"),
    pytest.param(b'{"question": "Who\\u0000?"}', 422, "bad_question", "", id="NUL"),
    pytest.param(b'{"question": "Who \\ud800?"}', 422, "bad_question", "", id="lone surrogate"),
    pytest.param(b'{"question": 7}', 422, "bad_request", "`question`", id="question is a number"),
    pytest.param(b'{"question": null}', 422, "bad_request", "`question`", id="question is null"),
    pytest.param(b"{}", 422, "bad_request", "`question` is missing", id="no question"),
    pytest.param(b'{"question": "Who?", "top_n": 3}', 422, "bad_request", "`top_n`", id="unknown field"),
    pytest.param(b'{"question": "Who?", "top_k": 0}', 422, "bad_request", "`top_k`", id="no passages"),
    pytest.param(b'{"question": "Who?", "top_k": 51}', 422, "bad_request", "`top_k`", id="too many passages"),
    pytest.param(b'{"question": "Who?", "top_k": "3"}', 422, "bad_request", "`top_k`", id="a number as a string"),
    pytest.param(b'{"question": "Who?", "sources": "a"}', 422, "bad_request", "`sources`", id="no list of sources"),
    pytest.param(b'{"question": "Who?", "sources": ["\\ud800"]}', 422, "bad_request", "`sources.0`", id="no pattern"),
    pytest.param(b'{"question": "Who?", "sources": [""]}', 422, "bad_request", "`sources.0`", id="empty pattern"),
    pytest.param(b'{"question": "Who?", "model": "gpt"}', 422, "model_not_offered", "'gpt'", id="no such model"),
    pytest.param(b'{"question": "Who?", "\\ud800": 3}', 422, "bad_request", "", id="unknown field, no text"),
    pytest.param(b'{"question": "Who?", "stream": "yes"}', 422, "bad_request", "`stream`", id="stream is a string"),
    pytest.param(b'{"question": "Who?", "history": "no"}', 422, "bad_request", "`history`", id="history is a string"),
    pytest.param(
        b'{"question": "Who?", "history": [{"question": "What?"}]}',
        422,
        "bad_request",
        "`history.0.answer` is missing",
        id="half a turn",
    ),
    pytest.param(
        b'{"question": "Who?", "history": [{"question": "What?", "answer": "That.", "role": "user"}]}',
        422,
        "bad_request",
        "`history.0.role`",
        id="unknown field in a turn",
    ),
    pytest.param(b"", 422, "bad_request", "The body is missing", id="no body"),
    pytest.param(b"[]", 422, "bad_request", "The body", id="a list"),
    pytest.param(b'"Who?"', 422, "bad_request", "The body", id="a string"),
    pytest.param(b'{"question": NaN}', 422, "bad_request", "`question`", id="NaN"),
    pytest.param(b'{"question": "Who?"', 400, "bad_json", "not JSON", id="cut short"),
    pytest.param(b"Who founded Scale AI?", 400, "bad_json", "not JSON", id="plain text"),
    pytest.param(b'{"question": "caf\xe9"}', 400, "bad_json", "UTF-8", id="not UTF-8"),
    pytest.param(b"[" * 200_000, 400, "bad_json", "", id="nested too deep"),
    pytest.param(b'{"question": "' + b"x" * 1_000_000 + b'"}', 413, "content_too_large", "", id="too large"),
]


@pytest.mark.parametrize(("body", "status", "code", "said"), BAD_BODIES)
@pytest.mark.parametrize("streamed", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
def test_a_bad_body_gets_a_problem_that_says_what_is_wrong(
    client: httpx.Client, body: bytes, status: int, code: str, said: str, streamed: bool
) -> None:
    if streamed and code == "bad_question":
        body = body.replace(b"}", b', "stream": true}')
    response = client.post("/v1/ask", content=body, headers={"Content-Type": "application/json"})
    assert said in assert_problem(response, status, code).detail


def test_many_faults_are_counted_and_not_all_recited(client: httpx.Client) -> None:
    body = {"question": "Who?", **{f"field{number}": number for number in range(5000)}}
    problem = assert_problem(client.post("/v1/ask", json=body), 422, "bad_request")
    assert "4995 more" in problem.detail and len(problem.detail) < 500


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param('{"question": "Who\\u0000?", "answer": "Wang\\u0000"}', id="NUL"),
        pytest.param('{"question": "Who \\ud800?", "answer": "Wang \\udfff"}', id="lone surrogate"),
        pytest.param('{"question": "", "answer": ""}', id="empty"),
    ],
)
def test_a_strange_history_is_answered_or_refused_but_never_breaks_the_service(client: httpx.Client, turn: str) -> None:
    body = f'{{"question": "When did he do that?", "history": [{turn}]}}'.encode()
    response = client.post("/v1/ask", content=body, headers={"Content-Type": "application/json"})
    if response.status_code != 200:
        code = response.json()["code"]
        assert code in ("bad_request", "bad_question")
        assert re.search("turn|history", assert_problem(response, 422, code).detail)


def test_a_body_that_is_not_sent_as_json_is_refused_with_the_header_it_needs(client: httpx.Client) -> None:
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}):
        response = client.post("/v1/ask", content=b'{"question": "Who founded Scale AI?"}', headers=headers)
        assert "application/json" in assert_problem(response, 415, "unsupported_media_type").hint


def test_a_body_of_unknown_length_is_refused_as_soon_as_it_is_too_large(client: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"question": "'
        for _ in range(20):
            yield b"x" * 100_000
        yield b'"}'

    response = client.post("/v1/ask", content=pieces(), headers={"Content-Type": "application/json"})
    assert_problem(response, 413, "content_too_large")


def test_a_large_body_is_refused_wherever_it_is_sent(client: httpx.Client) -> None:
    assert_problem(client.post("/nowhere", content=b"x" * 1_000_001), 413, "content_too_large")


@pytest.mark.parametrize("address", ["/nowhere", "/v1/ask/", "/v1", "/docs/oauth2-redirect", "/redoc", "/%00"])
def test_an_unknown_address_is_not_found(client: httpx.Client, address: str) -> None:
    assert_problem(client.get(address), 404, "not_found")


def test_the_wrong_method_is_told_the_right_one(client: httpx.Client) -> None:
    response = client.get("/v1/ask")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"
    assert client.patch("/v1/sources/a.txt").headers["allow"] == "DELETE, GET, PUT"
    assert_problem(client.delete("/v1/sources"), 405, "method_not_allowed")


@pytest.mark.parametrize("wrong", ["limit=0", "limit=1001", "limit=many", "offset=-1", "ofset=2", "limit=1e3"])
def test_a_page_that_cannot_be_is_refused(client: httpx.Client, wrong: str) -> None:
    field = wrong.partition("=")[0]
    assert f"`{field}`" in assert_problem(client.get(f"/v1/sources?{wrong}"), 422, "bad_request").detail


def test_after_all_this_the_service_is_alive_and_logged_no_traceback(client: httpx.Client, service: Process) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert ask(client, "Who founded Scale AI?")["citations"]
    assert service.log.read_text() == ""


# ---- the index comes, changes and goes --------------------------------------------------------------------------


def index(documents: Path, settings: Settings) -> None:
    indexer = open_indexer(settings)
    try:
        indexer.run([documents], lambda _: None)
    finally:
        indexer.close()


def test_a_service_without_an_index_lives_and_picks_the_index_up_when_it_appears(
    seeds_index: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    with process(quick_settings_for(folder), tmp_path) as running, running.client() as client:
        assert client.get("/healthz").status_code == 200
        for response in (
            client.get("/readyz"),
            client.get("/v1/sources"),
            client.get("/v1/sources/a.txt"),
            client.post("/v1/ask", json={"question": "Who founded Scale AI?"}),
            client.post("/v1/ask", json={"question": "Who founded Scale AI?", "stream": True}),
        ):
            assert "whosays index" in assert_problem(response, 503, "index_missing").hint
        assert str(folder) in running.log.read_text()

        shutil.copytree(seeds_index, tmp_path / "copied")
        (tmp_path / "copied").rename(folder)
        assert ask(client, "Who founded Scale AI?")["citations"]
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")

        folder.rename(tmp_path / "away")
        assert_problem(client.get("/readyz"), 503, "index_missing")
        assert_problem(client.post("/v1/ask", json={"question": "Who founded Scale AI?"}), 503, "index_missing")
        (tmp_path / "away").rename(folder)
        assert ask(client, "Who founded Scale AI?")["citations"]


def test_what_is_indexed_meanwhile_is_answered_without_a_restart(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    shutil.copytree(SEEDS, documents)
    settings = quick_settings_for(tmp_path / "index")
    index(documents, settings)
    with process(settings, tmp_path) as running, running.client() as client:
        question = "Who founded the Quillfeather Observatory?"
        assert ask(client, question)["outcome"] == "not_in_sources"
        (documents / "new.txt").write_text("Marta Quist founded the Quillfeather Observatory in 1931.\n", "utf-8")
        index(documents, settings)
        assert "Marta Quist" in ask(client, question)["text"]
        assert client.get("/v1/sources").json()["total"] == 6


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda folder: (folder / "index.sqlite").write_bytes(b"x" * 8192), id="no database"),
        pytest.param(lambda folder: os.truncate(folder / "index.sqlite", 8192), id="cut short"),
        pytest.param(lambda folder: (folder / "index.sqlite").write_bytes(b""), id="empty file"),
    ],
)
def test_a_damaged_index_is_a_problem_that_names_no_path(seeds_index: Path, tmp_path: Path, spoil: Any) -> None:
    folder = tmp_path / "index"
    shutil.copytree(seeds_index, folder)
    spoil(folder)
    with process(quick_settings_for(folder), tmp_path) as running, running.client() as client:
        assert client.get("/healthz").status_code == 200
        assert_problem(client.get("/readyz"), 503, "index_damaged")
        assert_problem(client.post("/v1/ask", json={"question": "Who?"}), 503, "index_damaged")
        assert str(folder) in running.log.read_text()


# ---- the process ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "code"), [pytest.param(signal.SIGINT, 0, id="Ctrl-C"), pytest.param(signal.SIGTERM, -15, id="SIGTERM")]
)
def test_the_server_says_where_it_listens_and_stops_quietly(
    seeds_index: Path, tmp_path: Path, how: signal.Signals, code: int
) -> None:
    with process(quick_settings_for(seeds_index), tmp_path) as running, running.client() as client:
        assert client.get("/healthz").status_code == 200
        assert running.greeting.startswith("Listening on http://127.0.0.1:")
        assert running.stop(how) == code
        assert running.log.read_text() == ""


def test_a_taken_port_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(service=ServiceSettings(port=taken.getsockname()[1]))
        with pytest.raises(BadSettings, match=str(settings.service.port)) as caught:
            serve(settings)
    assert "service.port" in caught.value.hint


def test_a_pool_without_threads_is_refused() -> None:
    with pytest.raises(BadSettings, match=r"service\.workers"):
        create_app(Settings(service=ServiceSettings(workers=0)))


# ---- what the real answerer does not do at will: a server in a thread, with a scripted answerer ------------------


class Scripted:
    """An answerer whose answers are a script; it counts how many it gives at a time."""

    def __init__(self, script: Any) -> None:
        self.script = script
        self.closed = False
        self.under_way = self.most_at_once = 0
        self.left = threading.Event()
        self._lock = threading.Lock()

    def stream(self, question: str, history: Any = (), **_: Any) -> Iterator[Event]:
        with self._lock:
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            yield from self.script(question)
        finally:
            with self._lock:
                self.under_way -= 1
            self.left.set()

    def close(self) -> None:
        assert not self.under_way
        self.closed = True


@contextlib.contextmanager
def scripted(script: Any, workers: int = 2, **more: Any) -> Iterator[tuple[Scripted, httpx.Client]]:
    answerer = Scripted(script)
    settings = Settings(index="nowhere", service=ServiceSettings(workers=workers, **more))
    app = create_app(settings, lambda _: answerer)  # type: ignore[arg-type, return-value]  # stands in for an Answerer
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=30) as client:
                yield answerer, client
        finally:
            server.should_exit = True
            thread.join()
    assert answerer.closed


def wet(question: str) -> Iterator[Event]:
    yield Found(())
    yield Token("Wet.")
    yield Answered(Answer(question, "answered", "Wet."))


def test_when_the_asker_goes_the_work_stops_at_its_next_step() -> None:
    over = threading.Event()

    def endless(_: str) -> Iterator[Event]:
        yield Found(())
        while not over.wait(0.005):
            yield Token("wet ")

    with scripted(endless) as (answerer, client):
        with client.stream("POST", "/v1/ask", json={"question": "How?", "stream": True}) as response:
            lines = response.iter_lines()
            assert next(lines) == "event: hits"
            assert "event: token" in (next(lines), next(lines), next(lines))
        stopped = answerer.left.wait(20)
        over.set()
    assert stopped, "the answer goes on with nobody to hear it"


def test_no_more_questions_are_answered_at_a_time_than_there_are_workers_and_the_loop_stays_free() -> None:
    release = threading.Event()
    both = threading.Semaphore(0)

    def held(question: str) -> Iterator[Event]:
        yield Found(())
        both.release()
        assert release.wait(20)
        yield from list(wet(question))[1:]

    with scripted(held, workers=2) as (answerer, client), ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(ask, client, f"How wet is {number}?") for number in range(6)]
        assert both.acquire(timeout=20) and both.acquire(timeout=20)
        assert client.get("/healthz").json() == {"status": "alive"}
        release.set()
        assert [record.result()["question"] for record in asked] == [f"How wet is {number}?" for number in range(6)]
    assert answerer.most_at_once == 2


def test_a_bug_is_a_problem_without_details_and_a_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: str) -> Iterator[Event]:
        yield Found(())
        raise RuntimeError("secret /srv/inside")

    with scripted(broken) as (_, client):
        response = client.post("/v1/ask", json={"question": "How?"})
        assert_problem(response, 500, "internal_error")
        assert "secret" not in response.text
        told = stream(client, "How?")
    assert [name for name, _ in told] == ["hits", "error"]
    assert told[-1][1] == response.json()
    logged = [str(record.exc_info and record.exc_info[1]) for record in caplog.records if record.levelname == "ERROR"]
    assert logged == ["secret /srv/inside"] * 2


def test_an_error_of_ours_within_the_stream_is_its_last_event() -> None:
    def failing(_: str) -> Iterator[Event]:
        yield Rewritten("How wet?")
        yield Token("Wet ")
        raise BackendMissing("The reader needs /srv/inside.", hint="pip install reader")

    with scripted(failing) as (_, client):
        told = stream(client, "How?")
        whole = client.post("/v1/ask", json={"question": "How?"})
    assert_problem(whole, 503, "backend_missing")
    assert told == [("question", {"question": "How wet?"}), ("token", {"text": "Wet "}), ("error", whole.json())]


def test_strange_line_ends_in_a_text_do_not_break_the_stream() -> None:
    text = "One\u2028two\u2029three\x85four\rfive\nsix\x0bseven 日本 😀"

    def strange(question: str) -> Iterator[Event]:
        yield Found((Hit(Passage("a.txt", 0, len(text), text, ()), 0.5),))
        yield Token(text)
        yield Answered(Answer(question, "answered", text))

    with scripted(strange) as (_, client):
        told = stream(client, "How?")
        assert told[0][1] == [{"source": "a.txt", "start": 0, "end": 38, "score": 0.5, "title": None, "text": text}]
        assert [told[1][1]["text"], told[2][1]["text"], ask(client, "How?")["text"]] == [text] * 3


def test_an_answer_that_is_no_json_is_never_sent() -> None:
    def not_a_number(question: str) -> Iterator[Event]:
        yield Found(())
        yield Answered(Answer(question, "answered", "Wet.", confidence=float("nan")))

    with scripted(not_a_number) as (_, client):
        assert_problem(client.post("/v1/ask", json={"question": "How?"}), 500, "internal_error")
        assert stream(client, "How?")[-1][0] == "error"


# ---- the documentation ------------------------------------------------------------------------------------------


def test_the_openapi_document_is_valid_and_lists_every_route(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    OpenAPI.model_validate(document)
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == {
        ("post", "/v1/ask"),
        ("post", "/v1/search"),
        ("get", "/v1/sources"),
        ("get", "/v1/sources/{source}"),
        ("put", "/v1/sources/{source}"),
        ("delete", "/v1/sources/{source}"),
        ("get", "/v1/jobs/{job}"),
        ("get", "/v1/models"),
        ("post", "/v1/chat/completions"),
        ("get", "/metrics"),
        ("get", "/healthz"),
        ("get", "/readyz"),
    }
    schemas = document["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert named <= set(schemas)
    assert set(schemas) <= named, "a schema that nothing uses"
    assert not any("HTTPValidationError" in name for name in schemas)


def test_the_openapi_document_says_that_no_field_of_the_record_is_left_out(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["Answer"]["required"] == list(Answer.__dataclass_fields__)
    assert schemas["AskRequest"]["required"] == ["question"]


def test_the_example_in_the_documentation_is_a_true_answer(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    example = document["paths"]["/v1/ask"]["post"]["responses"]["200"]["content"]["application/json"]["example"]
    assert example == EXAMPLE_ANSWER
    assert list(example) == list(Answer.__dataclass_fields__)
    answer = TypeAdapter(Answer).validate_python(example, extra="forbid")
    for citation in answer.citations:
        text = (SEEDS / citation.source).read_bytes().decode()
        assert text[citation.start : citation.end] == citation.quote
        assert text[: citation.start].count("\n") + 1 == citation.line
        assert answer.short is not None and answer.short in citation.quote


def test_the_documentation_is_one_page_that_loads_nothing(client: httpx.Client) -> None:
    response = client.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    page = response.text
    assert not re.search(r"https?://|src=|<link|<script|@import|url\(", page)
    for address in ("POST /v1/ask", "GET /v1/sources", "GET /v1/sources/{source}", "GET /healthz", "GET /readyz"):
        assert f"<code>{address}</code>" in page
    assert set(re.findall(r'href="#(\w+)"', page)) <= set(re.findall(r'id="(\w+)"', page))


def test_every_problem_leads_to_its_line_in_the_documentation(client: httpx.Client) -> None:
    page = client.get("/docs").text
    codes = [kind.code for kind in all_kinds()]
    assert len(codes) == len(set(codes))
    assert {"index_missing", "bad_question", "source_unknown", "model_damaged", "internal_error"} <= set(codes)
    for code in codes:
        assert f'id="{code}"' in page
