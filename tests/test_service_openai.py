"""The door for programs that speak OpenAI's chat completions, asked by OpenAI's own client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import openai
import pytest

from rag.errors import ModelUnreachable
from rag.records import Event, Found, Token
from service.openai import ChatCompletionRequest, turns
from tests.conftest import quick_settings_for, some
from tests.test_service import QUESTIONS, Process, ask, assert_problem, process, scripted, timeless


@pytest.fixture(scope="module")
def service(seeds_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with process(quick_settings_for(seeds_index), tmp_path_factory.mktemp("service")) as running:
        yield running


def client_of(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url.rstrip('/')}/v1", api_key="none needed", max_retries=0)


@pytest.fixture(scope="module")
def client(service: Process) -> openai.OpenAI:
    return client_of(service.url)


def asking(question: str) -> list[Any]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]


@pytest.mark.parametrize("question", some(QUESTIONS, 3))
def test_the_client_curl_and_the_plain_door_get_the_same_record(
    client: openai.OpenAI, service: Process, question: str
) -> None:
    with service.client() as plain:
        record = timeless(ask(plain, question))
    whole = client.chat.completions.create(model="builtin", messages=asking(question))
    message = whole.choices[0].message
    assert (message.content, message.role, whole.choices[0].finish_reason) == (record["text"], "assistant", "stop")
    assert timeless(whole.model_extra["whosays"]) == record

    chunks = list(client.chat.completions.create(model="builtin", messages=asking(question), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == record["text"]
    assert timeless(chunks[-1].model_extra["whosays"]) == record
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    marks = [mark.model_dump() for mark in message.annotations or []]
    assert chunks[-1].choices[0].delta.model_extra["annotations"] == marks

    body = json.dumps({"question": question, "stream": True})
    command = ["curl", "-sN", f"{service.url}/v1/ask", "-H", "Content-Type: application/json", "-d", body]
    last = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().rpartition("data: ")[2]
    assert timeless(json.loads(last)) == record


def test_each_mark_of_the_text_is_annotated_with_the_place_of_its_quote(
    client: openai.OpenAI, service: Process
) -> None:
    whole = client.chat.completions.create(model="builtin", messages=asking("What was Scale AI's last valuation?"))
    message = whole.choices[0].message
    citations = {c["number"]: c for c in whole.model_extra["whosays"]["citations"]}
    assert len(message.annotations or []) == (message.content or "").count("[") >= 3
    with service.client() as plain:
        for annotation in message.annotations or []:
            cited = annotation.url_citation
            number = int((message.content or "")[cited.start_index : cited.end_index].strip("[]"))
            place = {name: value[0] for name, value in parse_qs(cited.url.removeprefix("/#")).items()}
            text = plain.get(f"/v1/sources/{place['source']}").json()["text"]
            assert text[int(place["start"]) : int(place["end"])] == citations[number]["quote"]
            assert cited.title


def test_earlier_messages_are_the_history(client: openai.OpenAI) -> None:
    earlier = [
        *asking("Who founded Scale AI?"),
        {"role": "assistant", "content": "Alexandr Wang founded Scale AI [1]."},
    ]
    parts = [{"type": "text", "text": "When did he do that?"}]
    whole = client.chat.completions.create(model="builtin", messages=[*earlier, {"role": "user", "content": parts}])
    assert "2016" in (whole.choices[0].message.content or "")


def test_messages_become_turns_and_a_question() -> None:
    def understood(*messages: str) -> tuple[str, list[tuple[str, str]]]:
        roles = {"u": "user", "a": "assistant", "s": "system"}
        sent = {"messages": [{"role": roles[text[0]], "content": text} for text in messages]}
        question, history = turns(ChatCompletionRequest.model_validate(sent).messages)
        return question, [(turn.question, turn.answer) for turn in history]

    assert understood("s", "u1", "a1", "u2", "u3", "a3", "a4", "u4") == ("u4", [("u1", "a1"), ("u3", "a3")])
    assert understood("u1", "a1", "s") == ("u1", [])


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["builtin"]


def test_errors_reach_the_client_with_their_status(client: openai.OpenAI, service: Process) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="builtin"):
        client.chat.completions.create(model="gpt-5", messages=asking("Who?"))
    with pytest.raises(openai.UnprocessableEntityError, match="empty"):
        client.chat.completions.create(model="builtin", messages=asking(" "))
    with service.client() as plain:
        empty = {"role": "user", "content": [{"type": "text", "text": " "}]}
        bodies = [{"messages": messages} for messages in ([], asking("Who?")[:1], [empty, *asking("Who?")])]
        for body in (*bodies, {"messages": [{"role": "user", "content": []}]}, {}):
            response = plain.post("/v1/chat/completions", json=body)
            assert_problem(response, 422, response.json()["code"])


def test_an_error_within_the_stream_reaches_the_client() -> None:
    def failing(_: str) -> Iterator[Event]:
        yield Found(())
        yield Token("Wet ")
        raise ModelUnreachable("secret", hint="secret")

    with scripted(failing) as (_, plain):
        client = client_of(str(plain.base_url))
        with pytest.raises(openai.APIError) as caught:
            list(client.chat.completions.create(model="builtin", messages=asking("How?"), stream=True))
        assert "secret" not in str(caught.value)
