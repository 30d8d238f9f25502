"""Each fault alone, at probability 1 for the first calls that it fits: everything ends settled."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.child import ROOT
from local.sandbox.process import SandboxProcess, start_sandbox
from shared.domain.publishing import retry_limits
from shared.domain.publishing.reconciliation import OVERDUE
from shared.domain.publishing.states import PostState
from shared.models import Post
from shared.posts import cancel_retry
from tests.chaos.diary import Diary
from tests.chaos.poison import make_unreadable
from tests.chaos.refusals import refused_calls
from tests.chaos.vanish import Vanish
from tests.factories.posts import make_posts
from tests.factories.profiles import make_profile, save_key
from tests.servers.settings import SECRET_KEY
from tests.timing.sandbox_timings import QUICK
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from worker.accounts import remote_delete
from worker.publishing import cancel

KEY, OTHER_KEY = "key-of-acme", "other-key-of-acme"
CHANNELS: list[dict[str, Any]] = [{"id": "int-mastodon", "identifier": "mastodon"}]
#: Of a worker in a process of its own.
SETTINGS = {
    "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
    "PRESSROOM_SETTLE_SECONDS": "0.5",
    "PRESSROOM_WRITES_PER_SECOND": "50",
    "PRESSROOM_CALL_TIMEOUT_SECONDS": "1",
    "PRESSROOM_UNKNOWN_RELEASE_SECONDS": "1",
    "PRESSROOM_ERROR_FINAL_SECONDS": "2",
}
CREATE, RELEASE, LOOK = "POST /posts", "PUT /posts/:id/status", "GET /posts"
DELETE = "DELETE /posts/:id"
#: Beyond those of tests/integration/worker/publishing; the first N calls meet each.
FAULTS: list[tuple[str, str, int, dict[str, Any]]] = [
    ("hang", RELEASE, 2, {}),
    ("hang", CREATE, 2, {}),
    ("hang_then_do", CREATE, 2, {"seconds": 2}),
    ("error_500_before", RELEASE, 2, {}),
    ("error_500_after", RELEASE, 2, {}),
    ("error_500_before", LOOK, 2, {}),
    ("html_502", RELEASE, 2, {}),
    ("html_502", RELEASE, 2, {"after": True}),
    ("html_502", CREATE, 2, {"after": True}),
    ("empty_401", RELEASE, 2, {}),
    ("slow", RELEASE, 2, {"seconds": 0.5}),
    ("spontaneous_429", RELEASE, 2, {"retry_after": 1}),
    ("stop_midway", CREATE, 2, {"elements": 1}),
    ("truncated_reply", CREATE, 2, {}),
    ("truncated_reply", RELEASE, 2, {}),
    ("truncated_reply", LOOK, 2, {}),
    ("repeat_request", CREATE, 2, {}),
    ("repeat_request", RELEASE, 2, {}),
    ("refuse", "*", 1, {"seconds": 1}),
]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), timing=QUICK, seed=[]) as running:
        yield running


@contextmanager
def worker(world: World, database_url: str, home: Path) -> Iterator[int]:
    """A process that works on the same rows; its number."""
    environ = {
        **os.environ,
        **SETTINGS,
        "DATABASE_URL": database_url,
        "PRESSROOM_SECRET_KEYS": SECRET_KEY,
        "PRESSROOM_MEDIA_URL": world.settings.media_url,
    }
    command = [sys.executable, "-m", "tests.workers.child", "deaf", "brief"]
    child = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "working\n"
        yield child.pid
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def world(
    sandbox: SandboxProcess, database_url: str, tmp_path: Path, short_rests: None
) -> Iterator[World]:
    admin = sandbox.admin
    admin.clear_faults()
    for org in admin.orgs():
        admin.delete_org(org["id"])
    admin.reset()
    admin.create_org("acme", keys=[KEY, OTHER_KEY], integrations=CHANNELS)
    runtime = make_runtime(
        database_url, tmp_path, PRESSROOM_CALL_TIMEOUT_SECONDS=1, PRESSROOM_OVERDUE_SECONDS=1
    )
    world = World(runtime=runtime, sandbox=admin, api_url=sandbox.api_url)
    make_profile(world, key=KEY)
    yield world
    runtime.close()


def sent(world: World) -> list[str]:
    return sorted(send["content"] for send in world.sandbox.sends())


@pytest.mark.parametrize(
    ("kind", "route", "times", "args"),
    FAULTS,
    ids=[f"{kind} at {route}{' after it' if 'after' in a else ''}" for kind, route, _, a in FAULTS],
)
def test_a_fault_alone_ends_with_each_post_published_once(
    world: World, kind: str, route: str, times: int, args: dict[str, Any]
) -> None:
    world.sandbox.add_fault(kind, route=route, times=times, **args)
    ids = make_posts(world, "acme", ["one", "two", "three"])
    world.until_all(PostState.PUBLISHED, ids)
    assert sent(world) == ["one", "three", "two"]


@pytest.mark.parametrize("route", [CREATE, RELEASE, LOOK])
def test_a_plan_that_is_used_up_holds_the_posts_until_other_credentials_are_saved(
    world: World, route: str
) -> None:
    world.sandbox.add_fault("error_402", route=route, times=1)
    ids = make_posts(world, "acme", ["one", "two", "three"])
    world.until(lambda: world.holds() == ["plan_limit"])
    save_key(world, "acme", key=OTHER_KEY)
    world.until_all(PostState.PUBLISHED, ids)
    assert sent(world) == ["one", "three", "two"]


def test_a_post_that_the_network_refuses_and_then_takes_ends_as_published(world: World) -> None:
    world.sandbox.add_fault("publish_error", times=1, recover=1)
    ids = make_posts(world, "acme", ["one", "two", "three"])
    world.until_all(PostState.PUBLISHED, ids)
    assert sent(world) == ["one", "three", "two"]


def test_a_post_that_postiz_never_publishes_stays_scheduled_and_is_sent_no_second_time(
    world: World,
) -> None:
    world.sandbox.add_fault("never_publish", times=1)
    [post_id] = make_posts(world, "acme", ["forgotten"])
    world.until(lambda: bool(world.sandbox.ledger(kind="never_published")))
    ends = time.monotonic() + world.settings.unknown_release_seconds + 1
    world.until(lambda: time.monotonic() > ends)
    assert world.states([post_id]) == [PostState.SCHEDULED]
    assert sent(world) == []


def test_a_key_that_is_rotated_while_postiz_is_away_strands_no_post(world: World) -> None:
    ids = make_posts(world, "acme", ["one", "two"])
    world.sandbox.add_fault("error_500_before", route="GET /is-connected", times=2)
    save_key(world, "acme", key=OTHER_KEY)  # nobody can tell yet whose key it is
    world.until_all(PostState.PUBLISHED, ids)
    assert sent(world) == ["one", "two"]


def test_what_is_accepted_before_a_rotated_key_is_known_again_is_published(world: World) -> None:
    world.sandbox.add_fault("error_500_before", route="GET /is-connected", times=2)
    save_key(world, "acme", key=OTHER_KEY)
    ids = make_posts(world, "acme", ["one", "two"])
    world.until_all(PostState.PUBLISHED, ids)
    assert sent(world) == ["one", "two"]


# rows that nobody can read, and workers that vanish


def another_organization(world: World) -> None:
    channels = [{"id": "int-other", "identifier": "mastodon"}]
    world.sandbox.create_org("other", keys=["key-of-other"], integrations=channels)
    make_profile(world, "other", key="key-of-other")


def test_a_secret_that_no_key_opens_holds_the_posts_of_its_profile_alone_until_it_is_saved_again(
    world: World,
) -> None:
    another_organization(world)
    make_unreadable(world.database, "acme")
    waiting = make_posts(world, "acme", ["one", "two"])
    others = make_posts(world, "other", ["three"], integration="int-other")
    world.until_all(PostState.PUBLISHED, others)
    assert world.states(waiting) == [PostState.PENDING, PostState.PENDING]
    save_key(world, "acme", key=OTHER_KEY)
    world.until_all(PostState.PUBLISHED, waiting)
    assert sent(world) == ["one", "three", "two"]


def test_two_keys_of_one_organization_that_are_revoked_are_each_asked_once_or_twice(
    world: World,
) -> None:
    make_profile(world, "twin", key=OTHER_KEY)
    world.sandbox.patch_org("acme", revoke_keys=[KEY, OTHER_KEY])
    ids = [*make_posts(world, "acme", ["one", "two"]), *make_posts(world, "twin", ["three"])]
    world.until(lambda: all(map(world.holds, ("acme", "twin"))))
    ends = time.monotonic() + 2
    world.until(lambda: time.monotonic() > ends)
    assert max(refused_calls(world.sandbox.ledger(kind="request")).values()) <= 2
    world.sandbox.patch_org("acme", add_keys=[KEY, OTHER_KEY])
    save_key(world, "acme", key=KEY)
    save_key(world, "twin", key=OTHER_KEY)
    world.until_all(PostState.PUBLISHED, ids)
    assert sent(world) == ["one", "three", "two"]


def test_a_worker_that_vanishes_inside_a_transaction_holds_up_nobody_for_long(
    world: World, database_url: str, tmp_path: Path
) -> None:
    with worker(world, database_url, tmp_path) as child:
        vanish = Vanish(database_url, lambda: [child], Diary())
        ids = make_posts(world, "acme", [f"clip {number}" for number in range(40)])
        vanish.vanish(random.Random(1))
        assert vanish.still_there() == 1
        world.until_all(PostState.PUBLISHED, ids)
        vanish.end()
    assert sent(world) == sorted(f"clip {number}" for number in range(40))


# drafts that Postiz does not delete or move, and releases that die midway


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between tries that come to nothing; their numbers stay."""
    for module in (cancel, remote_delete):
        brief = replace(retry_limits.DELETES, first=timedelta(0), longest=timedelta(0))
        monkeypatch.setattr(module, "DELETES", brief)


def deletes(world: World) -> int:
    rows = world.sandbox.ledger(kind="request")
    return sum(row["method"] == "DELETE" and row["status"] == 500 for row in rows)


def test_a_draft_that_is_never_deleted_ends_its_post_alone_after_a_number_of_deletes(
    world: World, short_pauses: None
) -> None:
    world.sandbox.add_fault("error_500_before", route=DELETE, contains="one")
    world.sandbox.add_fault("reply_lost_before", route=RELEASE, contains="one", times=1)
    stuck, *others = make_posts(world, "acme", ["one", "two", "three"])
    world.until_all(PostState.PUBLISHED, others)
    world.until_all(PostState.FAILED, [stuck])
    assert world.post(stuck).error_code == "draft_left_in_postiz"
    assert deletes(world) == retry_limits.DELETES.most
    assert sent(world) == ["three", "two"]


def test_a_post_in_postizs_queue_for_ever_is_published_once_on_a_persons_word(
    world: World,
) -> None:
    world.sandbox.add_fault("killed_in_release", contains="one", times=1)
    [post_id] = make_posts(world, "acme", ["one"])
    world.until(lambda: world.post(post_id).error_code == OVERDUE)
    with world.database.transaction() as session:
        post = session.get_one(Post, post_id)
        cancel_retry.retry_post(session, post, confirmed=True)
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["one"]
