"""Who may ask: keys, roles, rates; and what every response bears."""

from __future__ import annotations

import ast
import inspect
import json
import re
import stat
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BadInput, BadSettings
from rag.settings import ServiceSettings, Settings
from service.app import create_app, serve
from service.guard import is_loopback
from service.keys import KeyFile, open_keys
from service.limits import Buckets, network_of
from tests.conftest import quick_settings_for
from tests.test_service import Process, ask, assert_problem, process, scripted, stream, wet

# ---- the file of keys ------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "deep" / "keys.json")


def test_a_key_is_found_until_it_is_revoked(keys: KeyFile) -> None:
    first, second = keys.add("Ann", "asker"), keys.add("Ben", "admin")
    found = keys.find(first)
    assert found is not None and (found.name, found.role, found.revoked) == ("Ann", "asker", None)
    other = KeyFile(keys.path)
    assert keys.revoke(found.id).revoked
    assert [other.find(key) is None for key in (first, second)] == [True, False]
    assert [key.name for key in other.listed()] == ["Ann", "Ben"]
    assert (keys.has("asker"), keys.has("admin")) == (False, True)


def test_only_the_hash_of_a_key_is_kept_for_its_owner_alone(keys: KeyFile) -> None:
    secret = keys.add("Ann", "admin")
    kept = keys.path.read_text()
    assert secret not in kept and secret.removeprefix("whosays_") not in kept
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert len(secret.removeprefix("whosays_")) >= 43  # 256 bits


@pytest.mark.parametrize("wrong", ["", "whosays_", "x" * 10_000, "\udcff", "é", "\0"])
def test_what_is_no_key_is_not_found(keys: KeyFile, wrong: str) -> None:
    secret = keys.add("Ann", "admin")
    assert keys.find(wrong) is None
    assert keys.find(secret[:-1]) is None
    assert keys.find(f"{secret}x") is None


def test_a_key_is_compared_with_every_other_in_constant_time_and_the_search_ends_early_nowhere() -> None:
    (find,) = ast.parse(textwrap.dedent(inspect.getsource(KeyFile.find))).body
    assert isinstance(find, ast.FunctionDef)
    (loop,) = (step for step in find.body if isinstance(step, ast.For))
    assert not [step for step in ast.walk(loop) if isinstance(step, ast.Return | ast.Break | ast.Continue)]
    (check,) = loop.body
    assert isinstance(check, ast.If) and isinstance(check.test, ast.BoolOp)
    # The comparison comes first: whether a key is revoked does not decide whether it is compared.
    assert ast.unparse(check.test.values[0]) == "hmac.compare_digest(key.sha256, digest)"
    assert "digest = _digest(" in ast.unparse(find.body[1])


def test_a_spoilt_file_of_keys_lets_nobody_in(keys: KeyFile) -> None:
    secret = keys.add("Ann", "admin")
    keys.path.write_text("[{]")
    with pytest.raises(BadSettings, match="keys"):
        keys.find(secret)


def test_wrong_roles_and_ids_are_named(keys: KeyFile) -> None:
    with pytest.raises(BadInput, match="'owner'"):
        keys.add("Ann", "owner")
    with pytest.raises(BadInput, match="'1234'"):
        keys.revoke("1234")


# ---- rates -----------------------------------------------------------------------------------------------------


def test_a_bucket_gives_what_it_holds_and_fills_up_again() -> None:
    now = [0.0]
    buckets = Buckets(6, lambda: now[0])
    assert [buckets.wait_of("a") for _ in range(7)] == [0.0] * 6 + [10.0]
    assert buckets.wait_of("b") == 0
    now[0] = 4
    assert buckets.wait_of("a") == pytest.approx(6)
    now[0] = 10
    assert [buckets.wait_of("a"), buckets.wait_of("a")] == [0.0, pytest.approx(10)]


@given(st.integers(1, 20), st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_sees_more_than_what_was_saved_and_what_came_in(rate: int, pauses: list[float]) -> None:
    now = [0.0]
    buckets = Buckets(rate, lambda: now[0])
    given_at = []
    for pause in pauses:
        now[0] += pause
        wait = buckets.wait_of("a")
        assert 0 <= wait <= 60 / rate
        if not wait:
            given_at.append(now[0])
    for moment in given_at:
        assert sum(moment - 60 < other <= moment for other in given_at) <= 2 * rate + 1


def test_a_rate_of_nought_is_no_limit() -> None:
    buckets = Buckets(0)
    assert {buckets.wait_of("a") for _ in range(1000)} == {0.0}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_addresses_that_one_asker_can_choose_among_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_a_host_that_others_can_reach_is_not_taken_for_ones_own(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


# ---- a service that requires keys ------------------------------------------------------------------------------


def test_where_others_can_reach_it_a_service_without_keys_does_not_start(tmp_path: Path) -> None:
    settings = Settings(index=str(tmp_path / "index"), service=ServiceSettings(host="0.0.0.0", port=0))
    with pytest.raises(BadSettings, match=r"0\.0\.0\.0.*no key") as caught:
        serve(settings)
    assert "whosays keys add" in caught.value.hint
    with pytest.raises(BadSettings, match="require_keys"):
        create_app(Settings(service=ServiceSettings(require_keys="never")))


@pytest.fixture(scope="module")
def guarded(seeds_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, KeyFile]]:
    folder = tmp_path_factory.mktemp("guarded")
    service = ServiceSettings(require_keys="always", keys=str(folder / "keys.json"), key_rate=0, address_rate=0)
    settings = Settings(index=str(seeds_index), embedding=quick_settings_for(seeds_index).embedding, service=service)
    keys = open_keys(settings)
    keys.add("somebody", "asker")
    with process(settings, folder) as running:
        yield running, keys


def bearing(running: Process, secret: str) -> httpx.Client:
    return httpx.Client(base_url=running.url, timeout=60, headers={"Authorization": f"Bearer {secret}"})


GUARDED = [
    ("POST", "/v1/ask"),
    ("POST", "/v1/search"),
    ("GET", "/v1/sources"),
    ("GET", "/v1/sources/000_dc2299e4ed74c16e.txt"),
    ("GET", "/v1/sources/nowhere.txt"),
    ("PUT", "/v1/sources/new.txt"),
    ("DELETE", "/v1/sources/000_dc2299e4ed74c16e.txt"),
    ("GET", "/v1/jobs/0"),
    ("GET", "/v1/nowhere"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "address"), GUARDED)
def test_without_a_valid_key_all_requests_get_one_and_the_same_answer(
    guarded: tuple[Process, KeyFile], method: str, address: str
) -> None:
    running, keys = guarded
    revoked = keys.add("gone", "admin")
    found = keys.find(revoked)
    assert found is not None
    keys.revoke(found.id)
    shown = [{}, *({"Authorization": value} for value in (f"Bearer {revoked}", f"Basic {revoked}", "Bearer", revoked))]
    told = set()
    with running.client() as client:
        for headers in shown:
            response = client.request(method, address, headers=headers, content=b"not json")
            assert_problem(response, 401, "unauthorized")
            assert response.headers["www-authenticate"] == "Bearer"
            told.add(response.text)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("method", "address"), [pair for pair in GUARDED if pair[0] in ("PUT", "DELETE") or "jobs" in pair[1]]
)
def test_what_is_an_admins_is_refused_to_an_asker_whatever_is_indexed(
    guarded: tuple[Process, KeyFile], method: str, address: str
) -> None:
    running, keys = guarded
    with bearing(running, keys.add("Ann", "asker")) as client:
        told = {client.request(method, path).text for path in (address, "/v1/sources/nowhere.txt") if method != "GET"}
        assert_problem(client.request(method, address), 403, "forbidden")
        assert len(told) <= 1
        assert_problem(client.get("/metrics"), 403, "forbidden")


def test_with_a_key_all_is_as_without_guard(guarded: tuple[Process, KeyFile]) -> None:
    running, keys = guarded
    with bearing(running, keys.add("Ann", "asker")) as client:
        assert ask(client, "Who founded Scale AI?")["citations"]
        assert stream(client, "Who founded Scale AI?")[-1][0] == "answer"
        assert client.get("/v1/sources").json()["total"] == 5
    with bearing(running, keys.add("Ben", "admin")) as client:
        assert "whosays_index_sources 5.0" in client.get("/metrics").text


def test_whether_it_is_alive_and_ready_is_told_to_all_and_nothing_of_the_index(
    guarded: tuple[Process, KeyFile],
) -> None:
    running, keys = guarded
    with running.client() as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").json() == {"status": "ready", "passages": None}
        for address in ("/docs", "/openapi.json"):
            assert client.get(address).status_code == 200
    with bearing(running, keys.add("Ann", "asker")) as client:
        assert client.get("/readyz").json()["passages"] > 5


def test_who_asks_too_often_is_told_when_to_ask_again(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    ann, ben = (KeyFile(keys).add(name, "asker") for name in ("Ann", "Ben"))
    with scripted(wet, keys=str(keys), require_keys="always", key_rate=3, address_rate=12) as (_, client):

        def asked(secret: str) -> httpx.Response:
            return client.post("/v1/ask", json={"question": "?"}, headers={"Authorization": f"Bearer {secret}"})

        assert [asked(ann).status_code for _ in range(3)] == [200] * 3
        refused = asked(ann)
        assert_problem(refused, 429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert asked(ben).status_code == 200
        # Wrong keys count for the address: they cannot be tried out.
        codes = [asked("wrong").status_code for _ in range(10)]
        assert codes == [401] * 7 + [429] * 3
        assert asked(ben).status_code == 429
        assert client.get("/healthz").status_code == 200


def test_on_ones_own_machine_a_key_is_not_needed_but_by_admins(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    with scripted(wet, keys=str(keys), key_rate=1, address_rate=1) as (_, client):
        assert {ask(client, "How?")["text"] for _ in range(5)} == {"Wet."}
        response = client.post("/v1/ask", json={"question": "?"}, headers={"Authorization": "Bearer wrong"})
        assert response.status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert_problem(client.put("/v1/sources/a.txt", content=b"x", headers=headers), 401, "unauthorized")


# ---- what every response bears ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("trace-0123.abc_X", True, id="sane"),
        pytest.param("short", False, id="short"),
        pytest.param("x" * 65, False, id="long"),
        pytest.param('"}, {"level": "x', False, id="other marks"),
    ],
)
def test_a_request_id_is_taken_over_only_where_it_is_sane(given: str, kept: bool) -> None:
    with scripted(wet) as (_, client):
        for response in (client.get("/healthz", headers={"X-Request-Id": given}), client.get("/nowhere")):
            assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", response.headers["x-request-id"])
        assert (client.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"] == given) is kept


def test_every_response_has_the_headers_that_keep_browsers_safe_and_lets_no_other_site_in() -> None:
    with scripted(wet) as (_, client):
        for response in (
            client.get("/healthz", headers={"Origin": "https://example.org"}),
            client.get("/nowhere", headers={"Origin": "https://example.org"}),
            client.post("/v1/ask", json={"question": "?"}, headers={"Origin": "https://example.org"}),
            client.options("/v1/ask", headers={"Origin": "null", "Access-Control-Request-Method": "POST"}),
        ):
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["x-frame-options"] == "DENY"
            assert response.headers["referrer-policy"] == "no-referrer"
            assert "default-src 'none'" in response.headers["content-security-policy"]
            assert not [name for name in response.headers if name.startswith("access-control")]


def lines(running: Process) -> list[dict[str, object]]:
    return [json.loads(line) for line in running.log.read_text().splitlines()]


@pytest.mark.parametrize("asked_for", ["no", "yes"])
def test_the_log_is_json_and_holds_no_question_unless_asked_for(
    seeds_index: Path, tmp_path: Path, asked_for: str
) -> None:
    service = ServiceSettings(log_questions=asked_for)
    plain = quick_settings_for(seeds_index)
    settings = Settings(index=plain.index, embedding=plain.embedding, service=service, log_level="info")
    with process(settings, tmp_path) as running, running.client() as client:
        given = {"X-Request-Id": "abcdef-123456"}
        client.post("/v1/ask", json={"question": "Who founded Quillfeather?"}, headers=given)
        client.post("/v1/ask", json={"question": ["Quillfeather"]})
        client.get("/v1/sources/Quillfeather.txt")
        running.stop()
        logged = lines(running)
        ours = [line for line in logged if line["request_id"] == "abcdef-123456"]
    assert [line["message"] for line in ours] == ["answer", "request"]
    assert (ours[1]["route"], ours[1]["status"]) == ("/v1/ask", 200)
    assert ("Quillfeather" in running.log.read_text()) is (asked_for == "yes")


def test_what_was_answered_is_counted() -> None:
    with scripted(wet) as (_, client):
        ask(client, "How?")
        stream(client, "How?")
        client.post("/v1/ask", json={})
        client.request("BREW", "/coffee")
        counts = client.get("/metrics")
    assert counts.headers["content-type"].startswith("text/plain")
    for line in (
        'whosays_requests_total{method="POST",route="/v1/ask",status="200"} 2.0',
        'whosays_requests_total{method="POST",route="/v1/ask",status="422"} 1.0',
        'whosays_requests_total{method="other",route="other",status="404"} 1.0',
        'whosays_answers_total{model="builtin",outcome="answered",reason=""} 2.0',
        "whosays_withheld_claims_total 0.0",
        "whosays_questions_under_way 0.0",
    ):
        assert f"\n{line}\n" in counts.text, line


def test_a_key_without_a_name_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no name"):
        KeyFile(tmp_path / "keys.json").add(" ", "asker")
    assert KeyFile(tmp_path / "keys.json").listed() == ()
