"""Files and folders to sources: which files, under which names, and why the others are left out."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from rag.errors import BadInput, Unparsable
from rag.load import File, Listing, file_digest, find_files, read_source
from rag.protocols import Parser
from rag.records import Skipped, Source
from rag.wiring import parsers
from tests.test_parsers import pdf_file, word_sample

SEEDS = Path(__file__).parent.parent / "seeds"
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def every() -> dict[str, Parser]:
    return parsers()


def write(folder: Path, *names: str) -> None:
    """Write small files, each with its own name in it."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"This is {name}.\n")


def names(*paths: Path) -> list[str]:
    """The names under which the text files of some paths are listed."""
    return [file.name for file in find_files(paths, {".txt", ".md"}).files]


def reason(file: File, every: dict[str, Parser], limit: int = LIMIT) -> str:
    """The reason for which a file is refused."""
    with pytest.raises(Unparsable) as refused:
        read_source(file, every, limit)
    return refused.value.message


# ---- files -----------------------------------------------------------------------------------


def test_folders_are_listed_through_and_through(tmp_path: Path) -> None:
    write(tmp_path, "b.txt", "a/z.md", "a/deep/er/x.TXT", "a.txt", ".hidden.txt", ".git/c.txt", ".whosays/d.txt")
    write(tmp_path, "picture.png", "a/README")
    assert find_files([tmp_path], {".txt", ".md"}) == Listing(
        tuple(File(tmp_path / name, name) for name in ("a.txt", "a/deep/er/x.TXT", "a/z.md", "b.txt")),
        (
            Skipped(str(tmp_path / "a/README"), "not a format that is read (no ending)"),
            Skipped(str(tmp_path / "picture.png"), "not a format that is read (.png)"),
        ),
    )


def test_a_file_is_listed_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a/notes.txt")
    monkeypatch.chdir(tmp_path)
    assert find_files([Path("a/notes.txt")], {".txt"}).files == (File(tmp_path / "a/notes.txt", "notes.txt"),)


def test_an_index_with_another_name_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "index/b.txt")
    listing = find_files([tmp_path], {".txt"}, leave_out=[tmp_path / "index"])
    assert listing == Listing((File(tmp_path / "a.txt", "a.txt"),), ())


def test_files_of_one_name_get_their_folders_in_front(tmp_path: Path) -> None:
    write(tmp_path, "reports/notes.txt", "archive/notes.txt", "archive/other.txt", "x/2024/a.txt", "y/2024/a.txt")
    assert names(tmp_path / "reports", tmp_path / "archive") == ["archive/notes.txt", "other.txt", "reports/notes.txt"]
    assert names(tmp_path / "x/2024", tmp_path / "y/2024") == ["x/2024/a.txt", "y/2024/a.txt"]


def test_a_name_with_folders_in_front_is_not_that_of_another_file(tmp_path: Path) -> None:
    write(tmp_path, "reports/notes.txt", "c/notes.txt", "d/reports/notes.txt")
    listed = find_files([tmp_path / "reports", tmp_path / "c", tmp_path / "d"], {".txt"}).files
    assert len({file.name for file in listed}) == 3
    assert all(str(file.path).endswith(f"/{file.name}") for file in listed)


def test_a_file_that_is_reached_twice_counts_once(tmp_path: Path) -> None:
    write(tmp_path, "a/b/x.txt", "y.txt")
    (tmp_path / "a/link.txt").symlink_to(tmp_path / "y.txt")
    (tmp_path / "0.txt").symlink_to(tmp_path / "a/b/x.txt")
    assert names(tmp_path, tmp_path / "a", tmp_path / "a/../y.txt") == ["a/b/x.txt", "y.txt"]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "in/a.txt", "out/b.txt")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/out").symlink_to(tmp_path / "out")
    (tmp_path / "in/self.txt").symlink_to(tmp_path / "in/self.txt")
    (tmp_path / "in/gone.txt").symlink_to(tmp_path / "nowhere.txt")
    os.mkfifo(tmp_path / "in/pipe.txt")
    listing = find_files([tmp_path / "in"], {".txt"})
    assert [file.name for file in listing.files] == ["a.txt"]
    assert [(Path(skipped.path).name, skipped.reason) for skipped in listing.skipped] == [
        ("gone.txt", "unreadable (a link that leads nowhere)"),
        ("loop", "a link to a folder (name it to read it)"),
        ("out", "a link to a folder (name it to read it)"),
        ("pipe.txt", "unreadable (not a file)"),
        ("self.txt", "unreadable (a link that leads nowhere)"),
    ]
    assert names(tmp_path / "in/out") == ["b.txt"]


def test_a_link_keeps_its_own_name_and_ending(tmp_path: Path, every: dict[str, Parser]) -> None:
    write(tmp_path, "blobs/8f3a", "articles/x")
    link = tmp_path / "articles/news.txt"
    link.symlink_to(tmp_path / "blobs/8f3a")
    for path in (link, tmp_path / "articles"):
        (file,) = find_files([path], {".txt"}).files
        assert file == File(link, "news.txt")
        assert read_source(file, every, LIMIT).text == "This is blobs/8f3a.\n"


def test_a_folder_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "shut/b.txt")
    (tmp_path / "shut").chmod(0)
    try:
        if os.access(tmp_path / "shut", os.R_OK):
            pytest.skip("the tests run as root, to whom nothing is shut")
        assert find_files([tmp_path], {".txt"}).skipped == (
            Skipped(str(tmp_path / "shut"), "unreadable (permission denied)"),
        )
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("Text.")
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    assert find_files([tmp_path], {".txt"}) == Listing(
        (), (Skipped(f"{tmp_path}/caf\ufffd.txt", "its name is not UTF-8"),)
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param("nowhere/at/all", "nowhere/at/all does not exist.", id="not there"),
        pytest.param("x" * 5000, f"{'x' * 5000} does not exist.", id="name too long"),
        pytest.param("a\x00b", "a\x00b does not exist.", id="NUL"),
    ],
)
def test_a_path_that_is_not_there_is_bad_input(path: str, shown: str) -> None:
    with pytest.raises(BadInput) as refused:
        find_files([Path(path)], {".txt"})
    assert (refused.value.message, bool(refused.value.hint)) == (shown, True)


def test_folders_may_be_nested_deeper_than_the_stack() -> None:
    depth = 1500
    # Not in tmp_path, which pytest removes recursively.
    folder = Path(tempfile.mkdtemp()).resolve()
    try:
        here = os.open(folder, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("a.txt", os.O_CREAT, dir_fd=here))
        os.close(here)
        assert names(folder) == ["d/" * depth + "a.txt"]
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


# ---- sources ---------------------------------------------------------------------------------


def test_the_seeds_are_read_with_titles_and_dates(every: dict[str, Parser]) -> None:
    listed = find_files([SEEDS], every).files
    sources = [read_source(file, every, LIMIT) for file in listed]
    assert {source.name[:3]: (source.title, source.published) for source in sources} == {
        "000": (None, "2025-06-08"),
        "001": (None, None),
        "002": ("Meta Eyes Record $10 Billion Stake In Scale A.I. Amid Intensifying Tech Rivalry", None),
        "003": ("A $10 Billion Scale AI Deal Could Deepen Meta’s AI Push", None),
        "004": ("Meta targets Scale AI in big AI push", None),
    }
    for file, source in zip(listed, sources, strict=True):
        assert source.text.encode() == file.path.read_bytes()


def test_a_source_holds_what_the_file_holds(tmp_path: Path, every: dict[str, Parser]) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"\xef\xbb\xbf#  A \t title\r\n\r\nText.\r\n")
    source = read_source(File(path, "x/a.md"), every, LIMIT)
    digest = file_digest(File(path, "x/a.md"), LIMIT)
    assert source == Source("x/a.md", str(path), "#  A \t title\r\n\r\nText.\r\n", digest, "A title")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        pytest.param("a.txt", b"", "empty", id="empty"),
        pytest.param("a.txt", b" \r\n\t\n", "empty", id="blank"),
        pytest.param("a.txt", b"\xef\xbb\xbf", "empty", id="only a mark"),
        pytest.param("a.txt", b"x" * (LIMIT + 1), "too large (1 MB, the limit is 1 MB)", id="a byte too large"),
        pytest.param("a.txt", b"x" * 2_345_678, "too large (2.35 MB, the limit is 1 MB)", id="too large"),
        pytest.param("a.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary file", id="PNG"),
        pytest.param("a.md", b"Dvo\xf8\xe1k", "unknown encoding (save the file as UTF-8)", id="Czech"),
        pytest.param("a.pdf", pdf_file(["x"], locked=True), "encrypted PDF", id="encrypted PDF"),
        pytest.param("a.pdf", b"no PDF", "broken PDF", id="broken PDF"),
        pytest.param("a.docx", pdf_file(["x"]), "broken DOCX", id="PDF that is named DOCX"),
        pytest.param("a.html", b"<html></html>", "no prose in the page", id="empty page"),
        pytest.param("a.xyz", b"text", "not a format that is read (.xyz)", id="unknown ending"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_reason(
    name: str, content: bytes, why: str, tmp_path: Path, every: dict[str, Parser]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason(File(tmp_path / name, name), every) == why


def test_what_is_no_file_is_told_with_its_reason(tmp_path: Path, every: dict[str, Parser]) -> None:
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "link.txt").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    found = {
        name: reason(File(tmp_path / name, name), every) for name in ("folder.txt", "link.txt", "pipe.txt", "a.txt")
    }
    assert found == {
        "folder.txt": "unreadable (a folder)",
        "link.txt": "unreadable (it has vanished)",
        "pipe.txt": "unreadable (not a file)",
        "a.txt": "unreadable (it has vanished)",
    }


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, every: dict[str, Parser]) -> None:
    write(tmp_path, "a.txt")
    (tmp_path / "a.txt").chmod(0)
    if os.access(tmp_path / "a.txt", os.R_OK):
        pytest.skip("the tests run as root, who may read everything")
    assert reason(File(tmp_path / "a.txt", "a.txt"), every) == "unreadable (permission denied)"


def test_files_of_all_formats_become_sources(tmp_path: Path, every: dict[str, Parser]) -> None:
    words = "Meta is in talks to invest more than $10 billion in Scale AI."
    contents = {
        "a.txt": words.encode("utf-16"),
        "b.md": words.encode(),
        "c.html": f"<html><body><p>{words}</p></body></html>".encode(),
        "d.htm": f"<html><body><p>{words}</p></body></html>".encode(),
        "e.pdf": pdf_file([words], properties="/Title (A\\001\\012 title)"),
        "f.docx": word_sample(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    listed = find_files([tmp_path], every)
    sources = {file.name: read_source(file, every, LIMIT) for file in listed.files}
    assert {name: source.text.strip() for name, source in sources.items()} == dict.fromkeys(contents, words)
    assert (sources["e.pdf"].title, sources["e.pdf"].pages, sources["e.pdf"].page_at(5)) == ("A title", (0,), 1)
