"""What the service makes of requests that are no requests, and of askers who go: a small part of the measurements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.service_disconnects import emptied, leave_all
from tests.benchmarks.service_fuzz import MAKERS, fuzz, request
from tests.conftest import quick_settings_for, times
from tests.test_service import Process, ask, process


@pytest.fixture(scope="module")
def service(seeds_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with process(quick_settings_for(seeds_index), tmp_path_factory.mktemp("service")) as running:
        yield running


def test_malformed_requests_meet_no_bug_and_learn_nothing(service: Process) -> None:
    statuses, bad = fuzz(service.url, 7, range(times(150, 1000)))
    assert bad == []
    assert {"400", "404", "405", "422"} <= statuses.keys()
    with service.client() as client:
        assert ask(client, "Who founded Scale AI?")["citations"]
    assert "Traceback" not in service.log.read_text()


def test_a_malformed_request_is_made_from_its_seed_and_number_alone() -> None:
    made = [request(3, number) for number in range(len(MAKERS) * 3)]
    assert made == [request(3, number) for number in range(len(MAKERS) * 3)]
    assert len({hashlib.sha256(each).hexdigest() for each in made}) > len(MAKERS) * 2


def test_askers_who_go_in_mid_answer_leave_their_places_free(service: Process) -> None:
    read = leave_all(service.url, 7, range(times(12, 100)))
    assert any(each.startswith(b"HTTP/1.1 200") for each in read) and not all(read)
    with service.client() as client:
        assert emptied(client)
        assert ask(client, "Who founded Scale AI?")["citations"]
    assert "Traceback" not in service.log.read_text()
