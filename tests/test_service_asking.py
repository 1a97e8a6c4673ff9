"""What one may say about a question, searching alone, and what happens when too many ask or one takes too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag.records import Answered, Event, Found, Token
from tests.conftest import quick_settings_for
from tests.test_service import QUESTIONS, SEED_NAMES, ask, assert_problem, process, scripted, stream, timeless, wet

QUESTION = "What was Scale AI's last valuation?"


@pytest.fixture(scope="module")
def client(seeds_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = quick_settings_for(seeds_index)
    with process(settings, tmp_path_factory.mktemp("service")) as running, running.client() as client:
        yield client


# ---- which sources, how many passages, which model -------------------------------------------------------------


def test_an_answer_cites_only_the_sources_that_it_was_restricted_to(client: httpx.Client) -> None:
    whole = ask(client, QUESTION)
    assert len({citation["source"] for citation in whole["citations"]}) > 1
    record = ask(client, QUESTION, sources=["001_*"])
    assert {citation["source"] for citation in record["citations"]} == {SEED_NAMES[1]}
    assert record["fingerprint"] != whole["fingerprint"]
    assert timeless(stream(client, QUESTION, sources=["001_*"])[-1][1]) == timeless(record)


def test_sources_that_match_nothing_answer_nothing(client: httpx.Client) -> None:
    record = ask(client, QUESTION, sources=["*.pdf"])
    assert (record["outcome"], record["reason"], record["nearest"]) == ("not_in_sources", "nothing_retrieved", [])


def test_as_many_passages_are_read_as_are_wanted(client: httpx.Client) -> None:
    for top_k in (1, 3):
        (name, hits), *_ = stream(client, QUESTION, top_k=top_k)
        assert (name, len(hits)) == ("hits", top_k)


def test_the_model_of_the_settings_may_be_named_and_no_other(client: httpx.Client) -> None:
    assert timeless(ask(client, QUESTION, model="builtin")) == timeless(ask(client, QUESTION))
    assert timeless(ask(client, QUESTION, model=None)) == timeless(ask(client, QUESTION))
    for more in ({}, {"stream": True}):
        response = client.post("/v1/ask", json={"question": QUESTION, "model": "gpt-5", **more})
        assert "builtin" in assert_problem(response, 422, "model_not_offered").hint


# ---- searching -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_search_gives_the_passages_that_the_answer_is_read_from(client: httpx.Client, question: str) -> None:
    told = stream(client, question)
    found = client.post("/v1/search", json={"question": question}).json()
    assert found["question"] == question
    assert [(hit["source"], hit["start"], hit["score"]) for hit in found["hits"]] == [
        (hit["source"], hit["start"], hit["score"]) for hit in told[0][1]
    ]


def test_a_hit_says_how_each_search_found_it_and_by_which_words(client: httpx.Client) -> None:
    found = client.post("/v1/search", json={"question": "Who founded Scale AI?", "top_k": 50}).json()["hits"]
    assert found[0]["words"] == ["founded", "scale", "ai"]
    assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)
    for hit in found:
        assert -1 <= hit["dense"] <= 1
        assert hit["lexical"] is None or (hit["lexical"] > 0 and hit["words"])
    assert client.post("/v1/search", json={"question": "Who?", "sources": ["none"]}).json()["hits"] == []


def test_a_bad_search_gets_a_problem(client: httpx.Client) -> None:
    assert_problem(client.post("/v1/search", json={"question": " "}), 422, "bad_question")
    assert_problem(client.post("/v1/search", json={"question": "Who?", "stream": True}), 422, "bad_request")


# ---- too many, too long, gone ----------------------------------------------------------------------------------


class Held:
    """A script that holds every question until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self, question: str) -> Iterator[Event]:
        yield Found(())
        self.begun.release()
        assert self.release.wait(20)
        yield from list(wet(question))[1:]


def test_beyond_the_queue_one_is_told_when_to_come_again() -> None:
    held = Held()
    with scripted(held, workers=1, queue=1) as (_, client), ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(ask, client, "First?")]
        assert held.begun.acquire(timeout=20)
        asked.append(threads.submit(ask, client, "Second?"))
        until_under_way(client, 2)
        refused = client.post("/v1/ask", json={"question": "Third?"})
        assert_problem(refused, 503, "busy")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        streamed = client.post("/v1/ask", json={"question": "Third?", "stream": True})
        assert_problem(streamed, 503, "busy")
        held.release.set()
        assert [record.result()["text"] for record in asked] == ["Wet.", "Wet."]
        assert ask(client, "Now?")["text"] == "Wet."


def test_an_answer_that_takes_too_long_is_given_up_and_its_place_is_free_once_it_stops() -> None:
    held = Held()
    with scripted(held, workers=1, queue=0, timeout=0.2) as (answerer, client):
        assert_problem(client.post("/v1/ask", json={"question": "How?"}), 504, "answer_timeout")
        # The thread is still at it, and counts.
        assert_problem(client.post("/v1/ask", json={"question": "How?"}), 503, "busy")
        held.release.set()
        assert answerer.left.wait(20)
    held = Held()
    with scripted(held, timeout=0.2) as (_, client):
        told = stream(client, "How?")
        assert [name for name, _ in told] == ["hits", "error"]
        assert (told[1][1]["code"], told[1][1]["status"]) == ("answer_timeout", 504)
        held.release.set()


def until_under_way(client: httpx.Client, count: int) -> None:
    """Wait until so many questions are answered or wait."""
    until = time.monotonic() + 20
    while f"\nwhosays_questions_under_way {count}.0\n" not in client.get("/metrics").text:
        assert time.monotonic() < until
        time.sleep(0.02)


def leave(client: httpx.Client, body: dict[str, Any]) -> None:
    """Ask, and hang up without waiting."""
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/ask", json=body, timeout=0.3)


@pytest.mark.parametrize("streamed", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
def test_who_goes_away_while_waiting_frees_the_place_in_the_queue(streamed: bool) -> None:
    held = Held()
    with scripted(held, workers=1, queue=1) as (answerer, client), ThreadPoolExecutor(1) as threads:
        first = threads.submit(ask, client, "First?")
        assert held.begun.acquire(timeout=20)
        with httpx.Client(base_url=client.base_url) as other:
            for _ in range(3):
                leave(other, {"question": "Second?", "stream": streamed})
                until_under_way(client, 1)
        held.release.set()
        assert first.result()["text"] == "Wet."
        assert ask(client, "Third?")["text"] == "Wet."
    assert held.begun.acquire(blocking=False), "the third was answered"
    assert not held.begun.acquire(blocking=False), "a question that nobody waits for was answered"
    assert answerer.under_way == 0


def test_who_goes_away_in_mid_answer_stops_the_work() -> None:
    over = threading.Event()

    def endless(question: str) -> Iterator[Event]:
        yield Found(())
        while not over.wait(0.005):
            yield Token("wet ")
        yield Answered(list(wet(question))[-1].answer)  # type: ignore[union-attr]

    with scripted(endless, workers=1, queue=0) as (answerer, client):
        leave(client, {"question": "How?"})
        stopped = answerer.left.wait(20)
        over.set()
    assert stopped
