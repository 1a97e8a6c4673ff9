"""Our retrieval and answers inside LlamaIndex: its engines, chat engines and evaluators around the real index."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.base.response.schema import Response, StreamingResponse
from llama_index.core.bridge.pydantic import Field
from llama_index.core.chat_engine import CondenseQuestionChatEngine, ContextChatEngine
from llama_index.core.evaluation import FaithfulnessEvaluator, RelevancyEvaluator, RetrieverEvaluator
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import MetadataMode, QueryBundle

from rag.answering import Answerer
from rag.backends.llama_index import WhosaysQueryEngine, WhosaysRetriever, _from_citations
from rag.records import Answer, Citation, Claim
from rag.settings import load_settings
from rag.wiring import open_answerer

INVESTED = "How much has Microsoft invested in OpenAI?"


class Saying(CustomLLM):
    """A language model of LlamaIndex's kind that always says the same, and keeps what it was asked."""

    words: str
    prompts: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=20_000)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self.prompts.append(prompt)
        return CompletionResponse(text=self.words)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        yield CompletionResponse(text=self.words, delta=self.words)


@pytest.fixture(scope="module")
def answerer(seeds_index: Path) -> Iterator[Answerer]:
    answerer = open_answerer(replace(load_settings(os.environ), index=str(seeds_index)))
    yield answerer
    answerer.close()


def test_the_retriever_gives_passages_with_their_place(answerer: Answerer) -> None:
    nodes = WhosaysRetriever(answerer).retrieve("Who founded Scale AI?")
    assert any("Alexandr Wang" in node.text for node in nodes)
    for node in nodes:
        text = answerer.store.source(node.metadata["source"]).text
        assert text[node.metadata["start"] : node.metadata["end"]] == node.text
    assert [node.score for node in nodes] == sorted((node.score for node in nodes), reverse=True)
    again = asyncio.run(WhosaysRetriever(answerer).aretrieve("Who founded Scale AI?"))
    assert [node.node_id for node in again] == [node.node_id for node in nodes]


def test_the_query_engine_gives_the_record_and_its_citations(answerer: Answerer) -> None:
    engine = WhosaysQueryEngine(answerer)
    response = engine.query(INVESTED)
    assert isinstance(response, Response)
    record = {**answerer.ask(INVESTED).to_json(), "timings_ms": None}
    assert response.metadata is not None
    assert {**response.metadata["whosays"], "timings_ms": None} == record
    assert str(asyncio.run(engine.aquery(INVESTED))) == str(response) == record["text"]


def test_a_source_node_stands_where_its_metadata_say(answerer: Answerer) -> None:
    nodes = WhosaysQueryEngine(answerer).query(INVESTED).source_nodes
    assert [node.metadata["number"] for node in nodes] == list(range(1, len(nodes) + 1))
    assert {node.metadata["verdict"] for node in nodes} == {"supported"}
    for node in nodes:
        text = answerer.store.source(node.metadata["source"]).text
        start, end = node.metadata["start"], node.metadata["end"]
        assert text[start:end] == node.text
        assert text.count("\n", 0, start) + 1 == node.metadata["line"]
        assert node.node_id == f"{node.metadata['source']}:{start}-{end}"


def test_a_citation_bears_the_gravest_verdict_of_its_claims() -> None:
    citations = tuple(Citation(n, "a.md", None, None, None, 0, 4, 1, "Wet.") for n in (1, 2))
    claims = (Claim("Wet", "disputed", (1, 2)), Claim("Damp", "supported", (2,)))
    nodes = _from_citations(Answer("?", "disputed", "Wet [1][2]. Damp [2].", claims=claims, citations=citations))
    assert [node.metadata["verdict"] for node in nodes] == ["disputed", "disputed"]


def test_a_refusal_has_no_source_nodes(answerer: Answerer) -> None:
    response = WhosaysQueryEngine(answerer).query("Who painted the Mona Lisa?")
    assert (str(response), response.source_nodes) == ("The sources do not say.", [])


def test_a_language_model_is_shown_the_words_and_the_source_alone(answerer: Answerer) -> None:
    node = WhosaysQueryEngine(answerer).query(INVESTED).source_nodes[0]
    shown = node.get_content(metadata_mode=MetadataMode.LLM)
    assert node.text in shown
    assert node.metadata["source"] in shown
    assert not {"start", "verdict", "number", "line"} & set(shown.removesuffix(node.text).replace(":", " ").split())


def test_a_streamed_answer_ends_with_its_nodes_and_record(answerer: Answerer) -> None:
    whole = WhosaysQueryEngine(answerer).query(INVESTED)
    streamed = WhosaysQueryEngine(answerer, streaming=True).query(INVESTED)
    assert isinstance(streamed, StreamingResponse)
    assert streamed.source_nodes == []
    assert "".join(streamed.response_gen) == str(whole)
    assert [n.node_id for n in streamed.source_nodes] == [n.node_id for n in whole.source_nodes]
    assert streamed.metadata is not None
    assert streamed.metadata["whosays"]["text"] == str(whole)


def test_the_engine_retrieves_what_the_retriever_does(answerer: Answerer) -> None:
    given = WhosaysQueryEngine(answerer).retrieve(QueryBundle(INVESTED))
    assert [n.node_id for n in given] == [n.node_id for n in WhosaysRetriever(answerer).retrieve(INVESTED)]


# ---- inside LlamaIndex -------------------------------------------------------------------------


def test_llama_index_answers_from_our_passages(answerer: Answerer) -> None:
    llm = Saying(words="Over $13 billion.")
    engine = RetrieverQueryEngine(WhosaysRetriever(answerer), get_response_synthesizer(llm=llm))
    response = engine.query(INVESTED)
    assert str(response) == "Over $13 billion."
    retrieved = WhosaysRetriever(answerer).retrieve(INVESTED)
    assert [n.node_id for n in response.source_nodes] == [n.node_id for n in retrieved]
    assert all(node.text in "".join(llm.prompts) for node in retrieved)


def test_a_mock_model_sees_our_passages(answerer: Answerer) -> None:
    synthesizer = get_response_synthesizer(llm=MockLLM())
    response = RetrieverQueryEngine(WhosaysRetriever(answerer), synthesizer).query(INVESTED)
    assert response.source_nodes[0].text in str(response)  # the mock repeats its prompt


def test_a_chat_asks_us_the_condensed_question(answerer: Answerer) -> None:
    chat = CondenseQuestionChatEngine.from_defaults(
        WhosaysQueryEngine(answerer), llm=Saying(words="Who founded Scale AI?")
    )
    assert "Microsoft" in str(chat.chat(INVESTED))
    answer = chat.chat("And who founded the other one?")
    assert "Alexandr Wang" in answer.response
    assert {node.metadata["verdict"] for node in answer.source_nodes} == {"supported"}
    assert chat.chat_history[-1].content == answer.response


def test_a_chat_streams_our_answer(answerer: Answerer) -> None:
    chat = CondenseQuestionChatEngine.from_defaults(
        WhosaysQueryEngine(answerer, streaming=True), llm=Saying(words="Who founded Scale AI?")
    )
    pieces = list(chat.stream_chat("Who founded Scale AI?").response_gen)
    assert "".join(pieces) == answerer.ask("Who founded Scale AI?").text


def test_a_chat_over_our_passages_keeps_their_places(answerer: Answerer) -> None:
    chat = ContextChatEngine.from_defaults(WhosaysRetriever(answerer), llm=Saying(words="Over $13 billion."))
    answer = chat.chat(INVESTED)
    assert answer.response == "Over $13 billion."
    retrieved = WhosaysRetriever(answerer).retrieve(INVESTED)
    assert [n.node_id for n in answer.source_nodes] == [n.node_id for n in retrieved]


@pytest.mark.parametrize("evaluator", [FaithfulnessEvaluator, RelevancyEvaluator])
@pytest.mark.parametrize(("words", "passing"), [("YES", True), ("NO", False)])
def test_evaluators_judge_our_citations(answerer: Answerer, evaluator: Any, words: str, passing: bool) -> None:
    llm = Saying(words=words)
    response = WhosaysQueryEngine(answerer).query(INVESTED)
    result = evaluator(llm=llm).evaluate_response(query=INVESTED, response=response)
    assert (result.passing, result.response) == (passing, str(response))
    assert all(node.text in "".join(llm.prompts) for node in response.source_nodes)


def test_a_retriever_evaluator_knows_our_passages_by_their_ids(answerer: Answerer) -> None:
    retriever = WhosaysRetriever(answerer)
    second = retriever.retrieve(INVESTED)[1].node_id
    evaluator = RetrieverEvaluator.from_metric_names(["hit_rate", "mrr"], retriever=retriever)
    assert evaluator.evaluate(INVESTED, [second]).metric_vals_dict == {"hit_rate": 1.0, "mrr": 0.5}
    assert evaluator.evaluate(INVESTED, ["other.md:0-9"]).metric_vals_dict == {"hit_rate": 0.0, "mrr": 0.0}
