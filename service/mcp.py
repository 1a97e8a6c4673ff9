"""The door for programs that speak MCP: over standard input and output, or at `/mcp` of the service."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections.abc import Awaitable
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import quote, unquote

from pydantic import Field, RootModel

from rag.errors import BackendMissing, WhosaysError
from rag.records import Answer, Turn
from rag.retrieve import words_found
from rag.settings import Settings
from rag.wiring import open_answerer, open_store
from service.desk import Desk, Wanted
from service.problems import Refusal, problem_of
from service.routes import whole
from service.schemas import MOST_HITS, MOST_TURNS, FoundPassage, Pattern, SearchResult, SourceText, text_of

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from starlette.routing import BaseRoute

Result = TypeVar("Result")

MOST_LISTED = 1000
INSTRUCTIONS = (
    "Answers questions from the indexed sources only. Every sentence of an answer carries [n]; citation n quotes a "
    "source word for word, and source_text[start:end] is the quote. Say so where the outcome is not_in_sources."
)

Question = Annotated[str, Field(description="What is asked.")]
Sources = Annotated[list[Pattern] | None, Field(description="Names or glob patterns that restrict the search.")]
TopK = Annotated[int | None, Field(ge=1, le=MOST_HITS, description="How many passages.")]
History = Annotated[list[Turn] | None, Field(max_length=MOST_TURNS, description="Earlier turns, oldest first.")]


class Record(RootModel[Answer]):
    """The answer's record, in a shape whose schema the package can tell."""


def has_mcp() -> bool:
    """Whether the package that speaks MCP is installed."""
    return importlib.util.find_spec("mcp") is not None


def build(desk: Desk) -> MCPServer:
    """The tools ask, search and show_source, and the sources as resources, on top of a desk."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ResourceError, ToolError
    from mcp_types import Resource

    class Indexed(MCPServer):
        async def list_resources(self) -> list[Resource]:
            listed = await asyncio.to_thread(lambda: open_store(desk.settings).sources())
            return [
                Resource(uri=_uri(s.name), name=s.name, title=s.title, mime_type="text/plain")
                for s in listed[:MOST_LISTED]
            ]

    server = Indexed("whosays", title="Whosays", instructions=INSTRUCTIONS, version=version("whosays"))

    async def told(work: Awaitable[Result]) -> Result:
        try:
            return await work
        except (WhosaysError, Refusal) as error:
            problem = problem_of(error)
            raise ToolError(f"{problem.detail} {problem.hint}") from error

    @server.tool(structured_output=True)
    async def ask(question: Question, sources: Sources = None, top_k: TopK = None, history: History = None) -> Record:
        """Answer a question from the sources, every sentence with its citations."""
        return Record(await told(whole(desk.events(Wanted(question, history or (), sources or (), top_k)))))

    @server.tool(structured_output=True)
    async def search(question: Question, sources: Sources = None, top_k: TopK = None) -> SearchResult:
        """Find the passages that a question would be answered from, best first."""
        hits = await told(desk.search(Wanted(question, sources=sources or (), top_k=top_k)))
        return SearchResult(question=question, hits=[FoundPassage.of(hit, words_found(question, hit)) for hit in hits])

    @server.tool(structured_output=True)
    async def show_source(source: Annotated[str, Field(description="A source's name.")]) -> SourceText:
        """Show a source's text, on which the citations' offsets count."""
        return await told(asyncio.to_thread(text_of, desk.settings, source))

    @server.resource("whosays://sources/{source}", mime_type="text/plain")
    async def source_text(source: str) -> str:
        """The text of one source; its name is percent-encoded."""
        try:
            return (await asyncio.to_thread(text_of, desk.settings, unquote(source))).text
        except WhosaysError as error:
            raise ResourceError(problem_of(error).detail) from error

    return server


def http_routes(server: MCPServer, *, guarded: bool) -> list[BaseRoute]:
    """The route `/mcp`; every request stands alone, so that any process of the service may answer it."""
    from mcp.server.transport_security import TransportSecuritySettings

    # Where keys guard it, it may be reached under any name.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False) if guarded else None
    return list(server.streamable_http_app(stateless_http=True, transport_security=security).routes)


def serve_stdio(settings: Settings) -> None:
    """Answer over standard input and output until it is closed."""
    if not has_mcp():
        raise BackendMissing("Speaking MCP needs the package mcp.", hint='pip install "whosays[mcp]"')
    with contextlib.closing(Desk(settings, open_answerer)) as desk:
        desk.answerer()
        build(desk).run("stdio")


def _uri(name: str) -> str:
    return f"whosays://sources/{quote(name, safe='')}"
