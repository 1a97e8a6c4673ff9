"""The made corpus of the benchmark of scale, and the index that is built of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from eval.cases import load_cases
from rag.errors import SourceUnknown
from rag.store.local import LocalStore
from tests.benchmarks.corpus import Corpus, name_of, write_gold
from tests.benchmarks.scale import Build, to_source
from tests.conftest import settings_for

CORPUS = Path(__file__).parent / "benchmarks" / "corpus.py"


def test_the_gold_questions_hold_of_the_articles(tmp_path: Path) -> None:
    corpus = Corpus(300)
    write_gold(corpus, tmp_path / "gold.jsonl")

    def text_of(name: str) -> str:
        if not name.endswith(".txt"):
            raise SourceUnknown(name, hint="")
        return corpus.article(int(name[:-4])).text

    cases = load_cases(tmp_path / "gold.jsonl", text_of)
    assert Counter(case.kind for case in cases) == {"single": 12, "conflict": 2, "unanswerable": 1}
    for case in (case for case in cases if case.disputed):
        assert len({source for position in case.positions for source in position.sources}) == 3


def test_an_article_is_the_same_whenever_it_is_made() -> None:
    first, second = Corpus(300), Corpus(300)
    assert [first.article(number) for number in (7, 250)] == [second.article(number) for number in (7, 250)]
    assert first.article(7) != Corpus(300, seed=1).article(7)


def test_some_articles_are_near_copies() -> None:
    corpus = Corpus(300)
    first = Counter(article.paragraphs[1] for article in map(corpus.article, range(300)))
    copies = sum(count - 1 for count in first.values())
    assert 10 <= copies <= 40


def test_words_come_in_zipf_s_frequencies() -> None:
    corpus = Corpus(300)
    held = Counter(word for number in range(300) for word in set(corpus.article(number).text.lower().split()))
    ranks = [held[word] for word in (corpus.words[0], corpus.words[10], corpus.words[1000])]
    assert ranks[0] > ranks[1] > ranks[2]


def test_a_passage_is_its_slice_and_nothing_but_blanks_is_left_out() -> None:
    source, passages, digests = to_source(Corpus(300).article(7))
    assert [passage.text for passage in passages] == [source.text[p.start : p.end] for p in passages]
    assert "\n\n".join(passage.text for passage in passages) == source.text
    for passage in passages:
        assert " ".join(passage.sentence_text(sentence) for sentence in passage.sentences) == passage.text
    assert len({*digests}) == len(passages)


def test_the_command_writes_the_folder(tmp_path: Path) -> None:
    subprocess.run([sys.executable, CORPUS, "--articles", "20", "--out", tmp_path], check=True, stdout=subprocess.PIPE)
    assert len(list((tmp_path / "articles").iterdir())) == 20
    assert len((tmp_path / "gold.jsonl").read_text().splitlines()) == 4


def test_a_build_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    def build() -> Build:
        return Build(tmp_path / "scale", 200, 60, 0, settings_for(tmp_path / "index"))

    whole = build()
    article = whole.corpus.article

    def article_until_20(number: int) -> object:
        if number == 20 and (tmp_path / "scale" / "index").is_dir():
            raise Stopped
        return article(number)

    monkeypatch.setattr(whole.corpus, "article", article_until_20)
    with pytest.raises(Stopped):
        whole.run()
    assert len(LocalStore(tmp_path / "scale" / "index").names()) == 20
    again = build()
    again.run()
    store = LocalStore(tmp_path / "scale" / "index")
    assert store.names() == [name_of(number) for number in range(again.corpus.articles)]
    assert json.loads((tmp_path / "scale" / "plan.json").read_text())["passages"] == 200
    with pytest.raises(SystemExit, match="another plan"):
        Build(tmp_path / "scale", 300, 60, 0, settings_for(tmp_path / "index"))
