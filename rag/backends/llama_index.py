"""For LlamaIndex's users: our hits as a retriever, our cited answers as a query engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Protocol

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import Response
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag.records import Answer, Event, Found, Hit, Turn


class Answers(Protocol):
    """What answers questions: `rag.answering.Answerer`."""

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """The answer to a question."""

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        """The events of answering a question."""


class WhosaysRetriever(BaseRetriever):
    """Our retrieval where LlamaIndex wants a retriever; a node's metadata hold source, start, end, title and date."""

    def __init__(self, answerer: Answers) -> None:
        super().__init__()
        self._answerer = answerer

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        # The hits are the first event but for a rewritten question: nothing is read to find them.
        found = next(event for event in self._answerer.stream(query_bundle.query_str) if isinstance(event, Found))
        return [_from_hit(hit) for hit in found.hits]


class WhosaysQueryEngine(BaseQueryEngine):
    """Our answers where LlamaIndex wants a query engine.

    `source_nodes` are the citations, in the order of their numbers; the whole record is in `metadata["whosays"]`.
    """

    def __init__(self, answerer: Answers) -> None:
        super().__init__(callback_manager=None)
        self._answerer = answerer

    def _query(self, query_bundle: QueryBundle) -> Response:
        answer = self._answerer.ask(query_bundle.query_str)
        return Response(answer.text, source_nodes=_from_citations(answer), metadata={"whosays": answer.to_json()})

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._query, query_bundle)

    def _get_prompt_modules(self) -> dict[str, object]:  # type: ignore[override]
        return {}


def _from_hit(hit: Hit) -> NodeWithScore:
    passage = hit.passage
    place = {"source": passage.source, "start": passage.start, "end": passage.end}
    metadata = {**place, "title": hit.title, "published": hit.published}
    node = TextNode(text=passage.text, id_=f"{passage.source}:{passage.start}-{passage.end}", metadata=metadata)
    return NodeWithScore(node=node, score=hit.score)


def _from_citations(answer: Answer) -> list[NodeWithScore]:
    verdicts = {number: claim.verdict for claim in answer.claims for number in claim.citations}
    nodes = []
    for citation in answer.citations:
        metadata = {
            "number": citation.number,
            "source": citation.source,
            "start": citation.start,
            "end": citation.end,
            "line": citation.line,
            "verdict": verdicts[citation.number],
        }
        node = TextNode(
            text=citation.quote, id_=f"{citation.source}:{citation.start}-{citation.end}", metadata=metadata
        )
        nodes.append(NodeWithScore(node=node, score=answer.confidence))
    return nodes
