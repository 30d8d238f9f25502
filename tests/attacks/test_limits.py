"""Attack 8: guesses end, one key leaves room for the others, and limits outlive their counter."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from local.ports import free_port
from local.valkey import Valkey
from tests.servers.api import ADMIN_KEY, Api
from tests.servers.raw_server import RawServer
from tests.servers.settings import make_settings
from tests.servers.web_server import Server, serving
from tests.timing.patience import PATIENCE, wait_until
from web import rate_limits
from web.concurrency_limits import LIVE_CALLS, STREAMS

MOST = 40


@pytest.fixture(scope="module")
def running(
    module_database_url: str, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    more = {
        "PRESSROOM_FAILED_KEYS_PER_MINUTE": str(MOST),
        "PRESSROOM_ALLOW_PRIVATE_URLS": "true",
    }
    folder = tmp_path_factory.mktemp("limited")
    with serving(module_database_url, valkey_server.url(), folder, **more) as server:
        yield server


@pytest.fixture
def server(running: Server, valkey_server: Valkey) -> Server:
    """With no failures counted yet."""
    with redis.Redis.from_url(valkey_server.url()) as client:
        for name in client.keys("*failures/*"):
            client.delete(name)
    return running


def ask(server: Server, path: str, key: str, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"}
    if "json" in more:
        return requests.post(server.url + path, headers=headers, timeout=PATIENCE, **more)
    return requests.get(server.url + path, headers=headers, timeout=PATIENCE, **more)


class Hanging:
    """No answer until `ended`."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def __iter__(self) -> Iterator[bytes]:
        self._ended.wait()
        yield b"HTTP/1.1 500 Too Late\r\n\r\n"


def a_key(server: Server, *profiles: str) -> str:
    body = {"name": "k", "scopes": ["read", "settings"], "profile_ids": list(profiles) or None}
    return str(server.post("/keys", json=body).json()["key"])


def test_guesses_of_a_key_end_and_whoever_was_known_goes_on(server: Server) -> None:
    unused = a_key(server)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: ask(server, "/jobs", f"pr_guess-{n}"), range(400)))
    statuses = Counter(reply.status_code for reply in replies)
    assert set(statuses) == {401, 429}
    assert statuses[401] <= 2 * MOST + 16, "a window that ends meanwhile lets as many again"
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert (refused.json()["code"], refused.json()["retryable"]) == ("rate_limited", True)
    assert int(refused.headers["Retry-After"]) > 0
    assert ask(server, "/jobs", unused).status_code == 429, "a guess that is right"
    for _ in range(10):  # by connections of their own, so that every process gets some
        assert ask(server, "/jobs", ADMIN_KEY).status_code == 200


def test_streams_of_one_key_leave_some_for_the_others(server: Server) -> None:
    medium = {"url": "http://127.0.0.1:9/a.png"}
    job = server.post("/postiz/upload", json=medium).json()["job"]["id"]
    with ExitStack() as open_ones:

        def follow(key: str) -> int:
            reply = ask(server, f"/jobs/{job}/events", key, stream=True)
            open_ones.callback(reply.close)
            return reply.status_code

        statuses = Counter(follow(ADMIN_KEY) for _ in range(12))
        assert set(statuses) == {200, 429}
        assert statuses[200] <= 6, "three in each of two processes"
        assert [follow(a_key(server)) for _ in range(STREAMS // 2)] == [200] * (STREAMS // 2)
        assert ask(server, "/jobs", ADMIN_KEY).status_code == 200


def test_calls_to_a_postiz_that_hangs_leave_some_for_the_others(server: Server) -> None:
    """All keys of one profile have one share: a client gains nothing by more keys."""
    assert server.post("/profiles", json={"id": "beta", "name": "B"}).status_code == 201
    keys = [a_key(server, "acme") for _ in range(3)]
    neighbour = a_key(server, "beta")
    ended = threading.Event()
    hanging = RawServer(Hanging(ended))
    with closing(hanging.socket), ThreadPoolExecutor(60) as pool:
        slow = {"api_url": hanging.url, "api_key": "k"}
        path = "/profiles/acme/validate"
        asked = [pool.submit(ask, server, path, keys[n % 3], json=slow) for n in range(60)]
        wait_until(lambda: hanging.requests >= 3)
        gone = {"api_url": f"http://127.0.0.1:{free_port()}", "api_key": "k"}
        served = 0
        while served < 10 and any(not each.done() for each in asked):  # while they hang
            assert ask(server, "/jobs", neighbour).status_code == 200
            reply = ask(server, "/profiles/beta/validate", neighbour, json=gone)
            assert (reply.status_code, reply.json()["ok"]) == (200, False), reply.text
            served += 1
        assert served
        replies = [each.result() for each in asked]
        ended.set()
    statuses = Counter(reply.status_code for reply in replies)
    assert set(statuses) == {200, 429}
    assert statuses[200] <= LIVE_CALLS, "three in each of two processes"
    [code] = {reply.json()["code"] for reply in replies if reply.status_code == 429}
    assert code == "too_many_at_once"


def limited(database_url: str, redis_url: str, home: Path, **more: Any) -> Api:
    return Api(make_settings(database_url, home, REDIS_URL=redis_url, **more))


def test_a_key_is_told_how_much_it_may_ask(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    api = limited(database_url, redis_url, tmp_path, PRESSROOM_REQUESTS_PER_MINUTE=3)
    try:
        replies = [api.get("/jobs") for _ in range(4)]
    finally:
        api.close()
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert {reply.headers["RateLimit-Policy"] for reply in replies} == {'"requests";q=3;w=60'}
    left = [reply.headers["RateLimit"].split(";")[:2] for reply in replies]
    assert left == [['"requests"', f"r={number}"] for number in (2, 1, 0, 0)]
    assert 0 < int(replies[-1].headers["Retry-After"]) <= 60
    assert replies[-1].json["code"] == "rate_limited"


def test_without_valkey_the_api_goes_on_and_so_do_its_limits(
    database_url: str, tmp_path: Path
) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    api = limited(database_url, nowhere, tmp_path, PRESSROOM_REQUESTS_PER_MINUTE=3)
    try:
        assert [api.get("/jobs").status_code for _ in range(4)] == [200, 200, 200, 429]
    finally:
        api.close()


def test_valkey_that_comes_back_is_counted_in_again(
    database_url: str,
    redis_url: str,
    valkey_server: Valkey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limits, "AWAY_SECONDS", 0.0)
    api = limited(database_url, redis_url, tmp_path)
    try:
        counters = api.services.rates._counters
        monkeypatch.setattr(counters, "_away_until", float("inf"))
        assert api.get("/jobs").status_code == 200
        assert not api.services.broker.keys("pressroom.limits:*")
        monkeypatch.setattr(counters, "_away_until", 0.0)
        assert api.get("/jobs").status_code == 200
        assert api.services.broker.keys("pressroom.limits:*")
    finally:
        api.close()


@pytest.mark.parametrize(("proxies", "statuses"), [(0, {429}), (1, {401})])
def test_the_address_is_that_of_the_caller_behind_trusted_proxies_only(
    database_url: str, redis_url: str, tmp_path: Path, proxies: int, statuses: set[int]
) -> None:
    more = {"PRESSROOM_TRUSTED_PROXIES": proxies, "PRESSROOM_FAILED_KEYS_PER_MINUTE": 1}
    api = limited(database_url, redis_url, tmp_path, **more)
    try:
        api.get("/jobs", key="pr_guess", headers={"X-Forwarded-For": "192.0.2.1"})
        for number in (2, 3):
            headers = {"X-Forwarded-For": f"192.0.2.{number}"}
            assert api.get("/jobs", key="pr_guess", headers=headers).status_code in statuses
    finally:
        api.close()


def test_an_ipv6_host_has_one_count_however_many_addresses_it_takes(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    more = {"PRESSROOM_TRUSTED_PROXIES": 1, "PRESSROOM_FAILED_KEYS_PER_MINUTE": 1}
    api = limited(database_url, redis_url, tmp_path, **more)
    try:
        of_one = [{"X-Forwarded-For": f"2001:db8::{number}"} for number in (1, 2)]
        replies = [api.get("/jobs", key="pr_guess", headers=each) for each in of_one]
        assert [reply.status_code for reply in replies] == [401, 429]
        other = {"X-Forwarded-For": "2001:db8:0:1::1"}
        assert api.get("/jobs", key="pr_guess", headers=other).status_code == 401
    finally:
        api.close()
