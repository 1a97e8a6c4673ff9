"""For LlamaIndex's users: our hits as a retriever, our cited answers as a query engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import Response, StreamingResponse
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag.records import Answer, Answered, Citation, Event, Found, Hit, Token, Turn, Verdict

TOLD = ("source", "title", "published")
"""What of a node's metadata a language model is shown; places and verdicts are for programs."""

GRAVITY: dict[Verdict, int] = {"supported": 0, "disputed": 1, "unsupported": 2}


class Answers(Protocol):
    """What answers questions: `rag.answering.Answerer`."""

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """The answer to a question."""

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        """The events of answering a question."""


class WhosaysRetriever(BaseRetriever):
    """Our retrieval where LlamaIndex wants a retriever; a node's metadata hold source, start, end, title and date.

    A node's id is `SOURCE:START-END`, the same for every question, so that evaluators can expect it.
    """

    def __init__(self, answerer: Answers) -> None:
        super().__init__()
        self._answerer = answerer

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        # The hits are the first event but for a rewritten question: nothing is read to find them.
        found = next(event for event in self._answerer.stream(query_bundle.query_str) if isinstance(event, Found))
        return [_from_hit(hit) for hit in found.hits]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


class WhosaysQueryEngine(BaseQueryEngine):
    """Our answers where LlamaIndex wants a query engine.

    `source_nodes` are the citations, in the order of their numbers; the whole record is in `metadata["whosays"]`. With
    `streaming`, `query` gives a StreamingResponse, whose nodes and record are there when its last piece has been read.
    `aquery` gives the whole answer in either case.
    """

    def __init__(self, answerer: Answers, streaming: bool = False) -> None:
        super().__init__(callback_manager=None)
        self._answerer = answerer
        self._streaming = streaming

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """The passages that would be read for the question."""
        return WhosaysRetriever(self._answerer).retrieve(query_bundle)

    def _query(self, query_bundle: QueryBundle) -> Response | StreamingResponse:
        return self._streamed(query_bundle.query_str) if self._streaming else self._whole(query_bundle.query_str)

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._whole, query_bundle.query_str)

    def _whole(self, question: str) -> Response:
        answer = self._answerer.ask(question)
        return Response(answer.text, source_nodes=_from_citations(answer), metadata={"whosays": answer.to_json()})

    def _streamed(self, question: str) -> StreamingResponse:
        nodes: list[NodeWithScore] = []
        metadata: dict[str, Any] = {}

        def pieces() -> Iterator[str]:
            for event in self._answerer.stream(question):
                if isinstance(event, Token):
                    yield event.text
                elif isinstance(event, Answered):
                    nodes.extend(_from_citations(event.answer))
                    metadata["whosays"] = event.answer.to_json()

        return StreamingResponse(pieces(), source_nodes=nodes, metadata=metadata)  # type: ignore[arg-type] # any iterator

    def _get_prompt_modules(self) -> dict[str, object]:  # type: ignore[override]
        return {}


def _from_hit(hit: Hit) -> NodeWithScore:
    passage = hit.passage
    place = {"source": passage.source, "start": passage.start, "end": passage.end}
    return _node(passage.text, {**place, "title": hit.title, "published": hit.published}, hit.score)


def _from_citations(answer: Answer) -> list[NodeWithScore]:
    return [_from_citation(citation, _verdict(answer, citation), answer.confidence) for citation in answer.citations]


def _from_citation(citation: Citation, verdict: Verdict, confidence: float) -> NodeWithScore:
    metadata = {
        "number": citation.number,
        "source": citation.source,
        "start": citation.start,
        "end": citation.end,
        "line": citation.line,
        "verdict": verdict,
        "title": citation.title,
        "published": citation.published,
        "page": citation.page,
    }
    return _node(citation.quote, metadata, confidence)


def _verdict(answer: Answer, citation: Citation) -> Verdict:
    """The gravest verdict of the claims that a citation bears."""
    verdicts = [claim.verdict for claim in answer.claims if citation.number in claim.citations]
    return max(verdicts, key=lambda verdict: GRAVITY[verdict])


def _node(text: str, metadata: dict[str, Any], score: float) -> NodeWithScore:
    silent = [name for name, value in metadata.items() if name not in TOLD or value is None]
    node = TextNode(
        text=text,
        id_=f"{metadata['source']}:{metadata['start']}-{metadata['end']}",
        metadata=metadata,
        excluded_llm_metadata_keys=silent,
        excluded_embed_metadata_keys=silent,
    )
    return NodeWithScore(node=node, score=score)
