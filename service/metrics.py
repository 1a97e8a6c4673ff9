"""What Prometheus may read at `/metrics`: requests, answers and their stages, and the state of the index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from rag.errors import WhosaysError
from rag.records import Answer
from rag.settings import Settings
from rag.wiring import open_store
from service.guard import TheCaller, admin_of
from service.problems import documented
from service.processes import SHARED_FOLDER, alive

router = APIRouter()

STAGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Metrics:
    """The counts of one application."""

    def __init__(self, settings: Settings, under_way: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._state = CollectorRegistry()
        self._state.register(_IndexState(settings))
        names = ("method", "route", "status")
        self._requests = Counter("whosays_requests", "Requests answered.", names, registry=self._registry)
        self._seconds = Histogram(
            "whosays_request_seconds",
            "Seconds until a request was answered.",
            ("route",),
            buckets=STAGES,
            registry=self._registry,
        )
        self._stages = Histogram(
            "whosays_stage_seconds",
            "Seconds that a stage of answering took.",
            ("stage",),
            buckets=STAGES,
            registry=self._registry,
        )
        names = ("outcome", "reason", "model")
        self._answers = Counter("whosays_answers", "Answers by outcome.", names, registry=self._registry)
        self._withheld = Counter(
            "whosays_withheld_claims", "Claims of a model that no source bore.", registry=self._registry
        )
        self._refused = Counter(
            "whosays_refused_requests", "Requests turned away.", ("status",), registry=self._registry
        )
        waiting = Gauge(
            "whosays_questions_under_way",
            "Questions being answered or waiting.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        if SHARED_FOLDER not in os.environ:
            waiting.set_function(under_way)
        self._waiting, self._under_way = waiting, under_way

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if status in (401, 403, 429, 503, 504):
            self._refused.labels(str(status)).inc()
        if SHARED_FOLDER in os.environ:
            self._waiting.set(self._under_way())

    def answer(self, answer: Answer) -> None:
        """Count an answer."""
        self._answers.labels(answer.outcome, answer.reason or "", answer.model).inc()
        self._withheld.inc(len(answer.withheld))
        for stage, milliseconds in answer.timings_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)

    def text(self) -> bytes:
        """All counts, those of the other processes with them."""
        registry = self._registry
        if SHARED_FOLDER in os.environ:
            _forget_ended(Path(os.environ[SHARED_FOLDER]))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry) + generate_latest(self._state)


def _forget_ended(folder: Path) -> None:
    """Drop what processes that have ended say of the present; what they counted still counts."""
    for file in folder.glob("gauge_live*.db"):
        if not alive(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


class _IndexState:
    """The index as it is when it is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Its generation and how much it holds; nothing where there is none."""
        try:
            with open_store(self._settings).snapshot() as snapshot:
                generation, passages = snapshot.generation, snapshot.passage_count
                sources = snapshot.source_count
        except WhosaysError:
            return
        info = GaugeMetricFamily("whosays_index_generation", "The index that answers come from.", labels=["generation"])
        info.add_metric([generation], 1)
        yield info
        yield GaugeMetricFamily("whosays_index_passages", "Passages indexed.", passages)
        yield GaugeMetricFamily("whosays_index_sources", "Sources indexed.", sources)


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented(401, 403)},
    response_class=Response,
    summary="Counts for Prometheus",
)
def metrics(request: Request, caller: TheCaller) -> Response:
    """Give the counts in the text format of Prometheus; where keys are required, it takes the key of an admin."""
    if caller.must_have_key:
        admin_of(request)
    counts: Metrics = request.app.state.metrics
    return Response(counts.text(), media_type=CONTENT_TYPE_LATEST)
