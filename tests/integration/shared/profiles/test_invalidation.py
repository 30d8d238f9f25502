"""The listener against a real Valkey: it hears, survives, and clears what it may have missed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from local.ports import free_port
from local.valkey import Valkey
from shared.profiles import invalidation
from shared.profiles.invalidation import Listener, broadcast_invalidation, confirm_invalidation
from tests.servers.embedded import running
from tests.timing.patience import PATIENCE


class Heard:
    """What a listener was told to reset."""

    def __init__(self) -> None:
        self.resets: list[str | None] = []

    def __call__(self, profile_id: str | None = None) -> None:
        self.resets.append(profile_id)


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def listener(redis_url: str, heard: Heard) -> Iterator[Listener]:
    listening = Listener(redis_url, heard).start()
    wait_for(listening.listening.is_set)
    yield listening
    listening.stop()


def listeners(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.pubsub_numsub(invalidation.CHANNEL)[0][1])


def test_a_broadcast_resets_that_profile(redis_url: str, listener: Listener, heard: Heard) -> None:
    assert broadcast_invalidation(invalidation.connect_broker(redis_url), "acme", 2)
    wait_for(lambda: "acme" in heard.resets)


def test_a_first_subscription_clears_everything(listener: Listener, heard: Heard) -> None:
    assert heard.resets == [None]


def test_a_cut_connection_is_made_anew_and_clears_everything(
    redis_url: str, listener: Listener, heard: Heard
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    wait_for(lambda: heard.resets.count(None) == 2)
    broadcast_invalidation(invalidation.connect_broker(redis_url), "acme", 2)
    wait_for(lambda: "acme" in heard.resets)


@pytest.mark.parametrize(
    "data", ["{}", "no JSON", "[]", '{"profile_id": "a", "sent_at": "soon"}', b"\xff\xfe"]
)
def test_a_message_that_is_no_invalidation_changes_nothing(
    redis_url: str, listener: Listener, heard: Heard, data: str | bytes
) -> None:
    client = invalidation.connect_broker(redis_url)
    client.publish(invalidation.CHANNEL, data)
    assert broadcast_invalidation(client, "acme", 2)
    wait_for(lambda: "acme" in heard.resets)
    assert heard.resets == [None, "acme"]


def test_whatever_goes_wrong_in_it_it_clears_everything_and_hears_again(redis_url: str) -> None:
    heard = Heard()

    def reset(profile_id: str | None) -> None:
        heard(profile_id)
        if profile_id == "poison":
            raise RuntimeError("cannot be reset")

    listener = Listener(redis_url, reset).start()
    wait_for(listener.listening.is_set)
    client = invalidation.connect_broker(redis_url)
    broadcast_invalidation(client, "poison", 2)
    wait_for(lambda: heard.resets == [None, "poison", None])
    wait_for(lambda: broadcast_invalidation(client, "acme", 2) and "acme" in heard.resets)
    listener.stop()


def test_it_stops_cleanly_and_leaves_no_subscription(redis_url: str, heard: Heard) -> None:
    others = listeners(redis_url)
    listening = Listener(redis_url, heard).start()
    wait_for(listening.listening.is_set)
    assert listeners(redis_url) == others + 1
    listening.stop()
    wait_for(lambda: listeners(redis_url) == others)


def test_it_survives_a_restart_of_the_server(tmp_path: Path, heard: Heard) -> None:
    server = Valkey(folder=tmp_path, port=free_port())
    with running(server.service(), tmp_path / "first.log"):
        listening = Listener(server.url(), heard).start()
        wait_for(listening.listening.is_set)
    wait_for(lambda: not listening.listening.is_set())
    assert not broadcast_invalidation(
        invalidation.connect_broker(server.url()), "acme", 2
    )  # away, and no error
    with running(server.service(), tmp_path / "second.log"):
        wait_for(lambda: heard.resets.count(None) >= 2)
        broadcast_invalidation(invalidation.connect_broker(server.url()), "acme", 3)
        wait_for(lambda: "acme" in heard.resets)
        listening.stop()


def test_it_waits_for_a_server_that_is_not_there_yet(tmp_path: Path, heard: Heard) -> None:
    server = Valkey(folder=tmp_path, port=free_port())
    listening = Listener(server.url(), heard).start()
    time.sleep(0.3)
    with running(server.service(), tmp_path / "valkey.log"):
        wait_for(listening.listening.is_set)
        listening.stop()


def test_a_broadcast_is_measured_by_who_says_that_it_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalidation, "CONFIRM_SECONDS", 3.0)  # enough for a machine that is late
    monkeypatch.setattr(invalidation, "BROADCAST_SECONDS", 10.0)
    server = Valkey(folder=tmp_path, port=free_port())
    heard = [Heard(), Heard()]
    with running(server.service(), tmp_path / "valkey.log"):
        client = invalidation.connect_broker(server.url())
        listening = [Listener(server.url(), each).start() for each in heard]
        for each in listening:
            wait_for(each.listening.is_set)
        effect = confirm_invalidation(client, "acme", 2)
        assert effect is not None and (effect.processes, effect.confirmed) == (2, 2)
        assert all(each.resets == [None, "acme"] for each in heard), "it was applied before"
        assert effect.seconds > 0
        with client.pubsub() as frozen:  # type: ignore[no-untyped-call]
            frozen.subscribe(invalidation.CHANNEL)
            wait_for(lambda: listeners(server.url()) == 3)
            effect = confirm_invalidation(client, "acme", 3)
        assert effect is not None and (effect.processes, effect.confirmed) == (3, 2)
        assert effect.seconds < invalidation.CONFIRM_SECONDS, "until the last that came"
        assert client.keys("*") == []
        for each in listening:
            each.stop()
    assert confirm_invalidation(client, "acme", 4) is None
