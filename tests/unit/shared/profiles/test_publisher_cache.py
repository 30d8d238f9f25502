"""The cache of publishers: never older than the claim, one build at a time, bounded."""

import threading
import time
from collections.abc import Callable

import pytest

from shared.errors import SettingsChanged, Transient
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.profiles.publisher_cache import Publisher, Publishers
from tests.timing.patience import PATIENCE


class Builder:
    """Builds with the versions that a test sets; counts, and waits where it is told to."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.built: list[tuple[str, int]] = []
        self.on_build: Callable[[], None] = lambda: None

    def __call__(self, profile_id: str) -> Publisher:
        version = self.versions.get(profile_id, 1)
        self.on_build()
        self.built.append((profile_id, version))
        postiz = Postiz(
            "http://postiz.invalid", "key", check=not_saved, route=Route(allow_private=False)
        )
        return Publisher(profile_id, version, 1, postiz)


@pytest.fixture
def builder() -> Builder:
    return Builder()


def test_a_publisher_is_built_at_first_use_and_kept(builder: Builder) -> None:
    cache = Publishers(builder)
    assert builder.built == []
    assert cache.get("acme", 1) is cache.get("acme", 1)
    assert builder.built == [("acme", 1)]


def test_a_newer_version_is_never_served_by_an_older_publisher(builder: Builder) -> None:
    cache = Publishers(builder)
    cache.get("acme", 1)
    builder.versions["acme"] = 2
    assert cache.get("acme", 2).version == 2
    assert cache.get("acme", 1).version == 2  # a claim that read before the change gets the newer


def test_a_build_that_is_older_than_the_claim_is_refused(builder: Builder) -> None:
    with pytest.raises(SettingsChanged):
        Publishers(builder).get("acme", 2)


def test_reset_forgets_one_or_all(builder: Builder) -> None:
    cache = Publishers(builder)
    for profile in ("a", "b"):
        cache.get(profile, 1)
    cache.reset("a")
    assert "a" not in cache
    assert "b" in cache
    cache.reset()
    assert len(cache) == 0


def test_the_cache_is_bounded_and_the_least_used_goes_first(builder: Builder) -> None:
    cache = Publishers(builder, max_publishers=2)
    for profile in ("a", "b", "a", "c"):
        cache.get(profile, 1)
    assert "a" in cache
    assert "b" not in cache
    assert len(cache) == 2


def test_an_entry_that_is_too_old_is_built_anew(builder: Builder) -> None:
    clock = [time.monotonic()]
    cache = Publishers(builder, max_age=300, clock=lambda: clock[0])
    cache.get("acme", 1)
    clock[0] += 301
    cache.get("acme", 1)
    assert len(builder.built) == 2


def test_many_threads_at_once_build_once(builder: Builder) -> None:
    builder.on_build = lambda: time.sleep(0.05)
    cache = Publishers(builder)
    threads = [threading.Thread(target=cache.get, args=("acme", 1)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builder.built == [("acme", 1)]


def test_one_profiles_slow_build_does_not_keep_another_waiting(builder: Builder) -> None:
    cache = Publishers(builder)
    cache.get("quick", 1)
    building, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        building.set()
        go_on.wait(PATIENCE)

    builder.on_build = slow
    thread = threading.Thread(target=cache.get, args=("slow", 1))
    thread.start()
    assert building.wait(PATIENCE)
    assert cache.get("quick", 1).profile_id == "quick"
    go_on.set()
    thread.join()


def test_a_load_that_began_before_the_change_does_not_outlive_it(builder: Builder) -> None:
    """Thread one reads version 1 and is slow; meanwhile version 2 is saved and used."""
    cache = Publishers(builder)
    reading, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        builder.on_build = lambda: None
        reading.set()
        go_on.wait(PATIENCE)

    builder.on_build = slow
    first = threading.Thread(target=cache.get, args=("acme", 1))
    first.start()
    assert reading.wait(PATIENCE)
    builder.versions["acme"] = 2
    cache.reset("acme")  # the invalidation comes, and finds nothing to drop yet
    go_on.set()
    first.join()
    assert cache.get("acme", 2).version == 2


def test_a_failed_build_is_tried_again(builder: Builder) -> None:
    def fail() -> None:
        builder.on_build = lambda: None
        raise Transient("away")

    builder.on_build = fail
    cache = Publishers(builder)
    with pytest.raises(Transient):
        cache.get("acme", 1)
    assert cache.get("acme", 1).version == 1
