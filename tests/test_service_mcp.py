"""The door for programs that speak MCP, asked by the SDK's own client over both transports."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from rag.settings import Settings
from tests.conftest import SEEDS, quick_settings_for
from tests.test_service import QUESTIONS, SEED_NAMES, Process, ask, process, timeless


@pytest.fixture(scope="module")
def service(seeds_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with process(quick_settings_for(seeds_index), tmp_path_factory.mktemp("service")) as running:
        yield running


def over_http(service: Process, _: Settings) -> Any:
    return f"{service.url}/mcp"


def over_stdio(_: Process, settings: Settings) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(SEEDS.parent), "WHOSAYS_EMBEDDING__CACHE": settings.embedding.cache}
    environment["WHOSAYS_SEARCH__TOP_K"] = str(settings.search.top_k)
    command = ["-m", "service.cli", "mcp", "--index", settings.index]
    return stdio_client(StdioServerParameters(command=sys.executable, args=command, env=environment))


@pytest.fixture(params=[over_http, over_stdio], ids=["HTTP", "stdio"])
def with_client(request: pytest.FixtureRequest, service: Process, seeds_index: Path) -> Any:
    """Runs a conversation with a client that is connected."""

    def run(talk: Callable[[Client], Awaitable[None]]) -> None:
        async def connected() -> None:
            async with Client(request.param(service, quick_settings_for(seeds_index))) as client:
                await talk(client)

        asyncio.run(asyncio.wait_for(connected(), 120))

    return run


def test_the_tools_and_their_schemas_are_listed(with_client: Any) -> None:
    async def talk(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == {"ask", "search", "show_source"}
        for tool in tools.values():
            assert tool.description and tool.output_schema
        assert {"outcome", "citations", "positions"} <= set(tools["ask"].output_schema["properties"])

    with_client(talk)


def test_a_question_gets_the_record_that_the_plain_door_gives(with_client: Any, service: Process) -> None:
    with service.client() as plain:
        records = {question: timeless(ask(plain, question)) for question in QUESTIONS[:3]}

    async def talk(client: Client) -> None:
        for question, record in records.items():
            told = await client.call_tool("ask", {"question": question})
            assert not told.is_error
            assert timeless(told.structured_content) == record
            assert timeless(json.loads(told.content[0].text)) == record

    with_client(talk)


def test_searching_and_showing_give_what_the_plain_doors_give(with_client: Any, service: Process) -> None:
    asked = {"question": "Who founded Scale AI?", "sources": ["002_*"], "top_k": 2}
    with service.client() as plain:
        found = plain.post("/v1/search", json=asked).json()
        shown = plain.get(f"/v1/sources/{SEED_NAMES[2]}").json()

    async def talk(client: Client) -> None:
        assert (await client.call_tool("search", asked)).structured_content == found
        assert (await client.call_tool("show_source", {"source": SEED_NAMES[2]})).structured_content == shown
        listed = {resource.name: resource.uri for resource in (await client.list_resources()).resources}
        assert sorted(listed) == SEED_NAMES
        (content,) = (await client.read_resource(listed[SEED_NAMES[2]])).contents
        assert content.text == shown["text"]

    with_client(talk)


@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        pytest.param("ask", {"question": " "}, "empty", id="empty question"),
        pytest.param("ask", {}, "question", id="no question"),
        pytest.param("search", {"question": "Who?", "top_k": 99}, "top_k", id="too many"),
        pytest.param("show_source", {"source": "../x"}, "no source", id="unknown source"),
    ],
)
def test_an_error_says_what_was_wrong(with_client: Any, tool: str, given: dict[str, Any], said: str) -> None:
    async def talk(client: Client) -> None:
        told = await client.call_tool(tool, given)
        assert told.is_error
        assert said in told.content[0].text and "Traceback" not in told.content[0].text

    with_client(talk)
