"""Documents that come and go over HTTP, and documents that mean harm."""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag.errors import Unparsable
from rag.settings import ServiceSettings, Settings
from service.keys import KeyFile
from service.sandbox import Sandbox
from tests.conftest import only_in_long_runs, quick_settings_for
from tests.test_service import Process, ask, assert_problem, process, timeless

QUESTION = "Who founded the Quillfeather Observatory?"
FOUNDED = b"Marta Quist founded the Quillfeather Observatory in 1931.\n"


def with_uploads(index: Path, folder: Path, **more: Any) -> tuple[Settings, str]:
    """Settings of a service for an index, and the key of an admin."""
    keys = folder / "keys.json"
    service = ServiceSettings(keys=str(keys), **more)
    return quick_settings_for(index, service=service), KeyFile(keys).add("a", "admin")


@pytest.fixture
def running(seeds_index: Path, tmp_path: Path) -> Iterator[tuple[Process, httpx.Client]]:
    shutil.copytree(seeds_index, tmp_path / "index")
    settings, key = with_uploads(tmp_path / "index", tmp_path, parse_seconds=3, parse_mb=700, max_upload_mb=1)
    with process(settings, tmp_path) as service, service.client() as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield service, client


def finished(client: httpx.Client, response: httpx.Response) -> dict[str, Any]:
    """The job that a request began, once it is over."""
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    until = time.monotonic() + 60
    while job["status"] in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.05)
        job = client.get(response.headers["location"]).json()
    return job


def test_an_uploaded_document_is_found_shown_replaced_and_removed(running: tuple[Process, httpx.Client]) -> None:
    service, client = running
    assert ask(client, QUESTION)["outcome"] == "not_in_sources"
    job = finished(client, client.put("/v1/sources/obs 1.txt", content=FOUNDED))
    assert (job["action"], job["source"], job["status"], job["reason"]) == ("put", "obs 1.txt", "done", None)
    record = ask(client, QUESTION)
    assert [citation["source"] for citation in record["citations"]] == ["obs 1.txt"]
    assert client.get("/v1/sources/obs 1.txt").json()["text"].encode() == FOUNDED

    other = FOUNDED.replace(b"Marta Quist", b"Ada Vane")
    assert finished(client, client.put("/v1/sources/obs 1.txt", content=other))["status"] == "done"
    assert "Ada Vane" in ask(client, QUESTION)["text"]
    assert client.get("/v1/sources").json()["total"] == 6

    assert finished(client, client.delete("/v1/sources/obs 1.txt"))["status"] == "done"
    assert ask(client, QUESTION)["outcome"] == "not_in_sources"
    assert client.get("/v1/sources").json()["total"] == 5
    assert_problem(client.delete("/v1/sources/obs 1.txt"), 404, "source_unknown")
    assert service.log.read_text() == ""


def test_a_document_that_cannot_be_read_replaces_nothing_and_the_job_says_why(
    running: tuple[Process, httpx.Client],
) -> None:
    _, client = running
    assert finished(client, client.put("/v1/sources/obs.txt", content=FOUNDED))["status"] == "done"
    for content in (b"", b" \n", b"\x00\x01\x02" * 100):
        job = finished(client, client.put("/v1/sources/obs.txt", content=content))
        assert job["status"] == "failed" and job["reason"], job
    assert "Marta Quist" in ask(client, QUESTION)["text"]
    job = finished(client, client.put("/v1/sources/a.pdf", content=b"no PDF"))
    assert job["status"] == "failed" and "PDF" in job["reason"]


def test_the_content_type_names_the_format_where_the_name_does_not(running: tuple[Process, httpx.Client]) -> None:
    _, client = running
    page = b"<html><head><title>Observatory</title></head><body><p>%s</p></body></html>" % FOUNDED
    job = finished(client, client.put("/v1/sources/observatory", content=page, headers={"Content-Type": "text/html"}))
    assert (job["source"], job["status"]) == ("observatory.html", "done")
    assert client.get("/v1/sources/observatory.html").json()["title"] == "Observatory"
    assert "Marta Quist" in ask(client, QUESTION)["text"]
    response = client.put("/v1/sources/observatory", content=page, headers={"Content-Type": "image/png"})
    assert ".pdf" in assert_problem(response, 415, "unsupported_format").hint


def files(folder: Path) -> list[Path]:
    """What lies in a folder, but for what SQLite keeps there while it is at work."""
    return sorted(path for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm")))


NAMES = (
    ["..%2F..%2Fetc%2Fx.txt", "%2Fetc%2Fx.txt", "../x.txt", "a/b.txt", ".hidden.txt", "a%00b.txt", "%ED%A0%80.txt",
     "x" * 250 + ".txt", "-x.txt", "a%0Ab.txt", "%C3%A9" * 110 + ".txt", "C:x.txt", "~x.txt",
     "a%5Cb.txt", "%C2%B9.txt"]
)  # fmt: skip


def test_no_name_reaches_the_file_system_but_a_plain_one(running: tuple[Process, httpx.Client], tmp_path: Path) -> None:
    _, client = running
    before = files(tmp_path)
    for name in NAMES:
        response = client.put(f"/v1/sources/{name}", content=FOUNDED)
        assert response.status_code in (404, 405, 422), (name, response.text)
        if response.status_code == 422:
            assert_problem(response, 422, "bad_source_name")
        assert files(tmp_path) == before, name


def test_a_source_of_the_servers_own_files_is_left_alone(running: tuple[Process, httpx.Client]) -> None:
    _, client = running
    name = "000_dc2299e4ed74c16e.txt"
    before = client.get(f"/v1/sources/{name}").json()
    assert_problem(client.put(f"/v1/sources/{name}", content=FOUNDED), 409, "not_uploaded")
    assert_problem(client.delete(f"/v1/sources/{name}"), 409, "not_uploaded")
    assert client.get(f"/v1/sources/{name}").json() == before


def test_a_document_may_be_larger_than_a_question_but_not_larger_than_is_set(
    running: tuple[Process, httpx.Client],
) -> None:
    _, client = running
    assert_problem(client.put("/v1/sources/a.txt", content=b"x" * 1_000_001), 413, "content_too_large")

    def pieces() -> Iterator[bytes]:
        for _ in range(12):
            yield b"x" * 100_000

    assert_problem(client.put("/v1/sources/a.txt", content=pieces()), 413, "content_too_large")


def test_an_unknown_job_is_not_found(running: tuple[Process, httpx.Client]) -> None:
    for job in ("0", "../../keys", "0" * 32, "..%2F..%2Fkeys.json"):
        assert running[1].get(f"/v1/jobs/{job}").status_code == 404, job


@only_in_long_runs
def test_while_documents_come_no_answer_fails_or_mixes_what_was_with_what_is(
    running: tuple[Process, httpx.Client],
) -> None:
    _, client = running
    before = timeless(ask(client, QUESTION))
    stop: list[bool] = []

    def asking(_: int) -> list[dict[str, Any]]:
        records = []
        while not stop:
            records.append(timeless(ask(client, QUESTION)))
        return records

    with ThreadPoolExecutor(8) as threads:
        askers = [threads.submit(asking, number) for number in range(8)]
        job = finished(client, client.put("/v1/sources/obs.txt", content=FOUNDED))
        assert job["status"] == "done"
        after = timeless(ask(client, QUESTION))
        stop.append(True)
        answers = [asker.result() for asker in askers]
    assert [citation["source"] for citation in after["citations"]] == ["obs.txt"]
    assert any(before in records for records in answers)
    # Each asker is told what was until once told what is: no answer begun after the job's end is an old one.
    for records in answers:
        assert records == [before] * records.count(before) + [after] * records.count(after)


def test_what_was_uploaded_comes_back_when_the_index_is_made_anew(tmp_path: Path) -> None:
    settings, key = with_uploads(tmp_path / "index", tmp_path)
    for _ in range(2):
        with process(settings, tmp_path) as running, running.client() as client:
            client.headers["Authorization"] = f"Bearer {key}"
            if not (tmp_path / "index" / "uploads").is_dir():
                assert finished(client, client.put("/v1/sources/obs.txt", content=FOUNDED))["status"] == "done"
            until = time.monotonic() + 60
            while "Marta Quist" not in client.post("/v1/ask", json={"question": QUESTION}).text:
                assert time.monotonic() < until
                time.sleep(0.1)
        for path in (tmp_path / "index").glob("index.sqlite*"):
            path.unlink()


# ---- documents that mean harm, each read in a process of its own -----------------------------------------------


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


CONTENT_TYPES = b"""<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml"
 ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
RELATIONS = b"""<?xml version="1.0"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r"
 Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
 Target="word/document.xml"/></Relationships>"""
HEAD = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>'
TAIL = b"</w:t></w:r></w:p></w:body></w:document>"


def word(body: bytes, before: bytes = b"") -> bytes:
    """A .docx whose one paragraph says `body`."""
    document = b'<?xml version="1.0"?>' + before + HEAD + body + TAIL
    return zipped({"[Content_Types].xml": CONTENT_TYPES, "_rels/.rels": RELATIONS, "word/document.xml": document})


def laughs() -> bytes:
    entities = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    return b'<!DOCTYPE d [<!ENTITY l0 "lol">' + entities + b"]>"


SECRET = b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        pytest.param(".docx", lambda: word(b"wet " * 80_000_000), id="zip bomb"),
        pytest.param(".docx", lambda: word(b"&l9;", laughs()), id="a billion laughs"),
        pytest.param(".docx", lambda: zipped({"word/document.xml": b"x"}), id="half a document"),
        pytest.param(".pdf", lambda: b"%PDF-1.7\n" + b"1 0 obj\n" * 50_000, id="broken PDF"),
    ],
)
def test_a_document_that_means_harm_fails_with_a_reason_and_harms_nobody(suffix: str, content: Any) -> None:
    with pytest.raises(Unparsable) as caught:
        Sandbox(suffix, 5, 700).parse(content())
    assert caught.value.message and "Traceback" not in caught.value.message


def test_an_entity_does_not_read_the_servers_files() -> None:
    try:
        text = Sandbox(".docx", 5, 700).parse(word(b"It is &e;.", SECRET)).text
    except Unparsable as error:
        text = error.message
    assert Path("/etc/hostname").read_text().strip() not in text


def test_a_harmless_document_is_read_as_without_the_sandbox() -> None:
    from rag.wiring import parsers

    for suffix, content in ((".docx", word(b"It rained.")), (".txt", b"It rained."), (".md", b"# Rome\n\nIt rained.")):
        assert Sandbox(suffix, 5, 700).parse(content) == parsers()[suffix].parse(content)


def test_processor_time_is_bounded() -> None:
    with pytest.raises(Unparsable, match="1 seconds of processor time"):
        Sandbox(".txt", 1, 5000).parse(b"\xe9\xe8\xff abc " * 8_000_000)
