"""Our retrieval and answers inside LlamaIndex."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag.answering import Answerer
from rag.settings import load_settings
from rag.wiring import open_answerer


@pytest.fixture(scope="module")
def answerer(seeds_index: Path) -> Iterator[Answerer]:
    answerer = open_answerer(replace(load_settings(os.environ), index=str(seeds_index)))
    yield answerer
    answerer.close()


def test_the_retriever_gives_passages_with_their_place(answerer: Answerer) -> None:
    from rag.backends.llama_index import WhosaysRetriever

    nodes = WhosaysRetriever(answerer).retrieve("Who founded Scale AI?")
    assert any("Alexandr Wang" in node.text for node in nodes)
    for node in nodes:
        text = answerer.store.source(node.metadata["source"]).text
        assert text[node.metadata["start"] : node.metadata["end"]] == node.text


def test_the_query_engine_gives_the_record_and_its_citations(answerer: Answerer) -> None:
    from rag.backends.llama_index import WhosaysQueryEngine

    engine = WhosaysQueryEngine(answerer)
    question = "How much has Microsoft invested in OpenAI?"
    response = engine.query(question)
    record = {**answerer.ask(question).to_json(), "timings_ms": None}
    assert {**response.metadata["whosays"], "timings_ms": None} == record
    assert [node.metadata["number"] for node in response.source_nodes] == [c["number"] for c in record["citations"]]
    assert all(node.metadata["verdict"] == "supported" for node in response.source_nodes)
    assert str(asyncio.run(engine.aquery(question))) == str(response) == record["text"]
