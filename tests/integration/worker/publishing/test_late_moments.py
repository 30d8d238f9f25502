"""What lands late, or wakes late, at each moment: a status change, a move, a delete, a worker.

The moments are the workers' own fail points; what lands there is sent by the test itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from local.sandbox.process import SandboxProcess
from shared import failpoints
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY, make_profile
from tests.timing.patience import wait_until
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.runtimes import make_runtime
from tests.workers.world import World

CHANGE, CREATE, DELETE = "PUT /posts/:id/status", "POST /posts", "DELETE /posts/:id"
CALL_SECONDS, UNKNOWN_SECONDS, GIVE_UP_SECONDS = 1.0, 1.0, 4.0
ENDED = {PostState.PUBLISHED, PostState.FAILED}


@contextmanager
def working(sandbox: SandboxProcess, database_url: str, folder: Path) -> Iterator[World]:
    runtime = make_runtime(
        database_url,
        folder,
        PRESSROOM_CALL_TIMEOUT_SECONDS=CALL_SECONDS,
        PRESSROOM_UNKNOWN_RELEASE_SECONDS=UNKNOWN_SECONDS,
        PRESSROOM_OUTCOME_UNKNOWN_SECONDS=GIVE_UP_SECONDS,
    )
    yield World(runtime=runtime, sandbox=sandbox.admin, api_url=sandbox.api_url)
    runtime.close()


@pytest.fixture
def world(
    only_acme: SandboxProcess, database_url: str, tmp_path: Path, short_rests: None
) -> Iterator[World]:
    with working(only_acme, database_url, tmp_path) as world:
        make_profile(world, key=KEY)
        yield world


@pytest.fixture
def elsewhere(
    world: World, only_acme: SandboxProcess, database_url: str, tmp_path: Path
) -> Iterator[World]:
    """Another process's worker, with calls and threads of its own."""
    with working(only_acme, database_url, tmp_path) as elsewhere:
        yield elsewhere


def at(moment: str, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do `act` when the workers come to `moment` for the first time; returns where they came."""
    met: list[str] = []

    def hit(name: str) -> None:
        met.append(name)
        if name == moment and met.count(name) == 1:
            act()

    monkeypatch.setattr(failpoints, "hit", hit)
    return met


def until_ended(world: World, ids: list[int]) -> int:
    """How many workers had to stop on the way, since others did their work meanwhile."""
    lost = 0
    while not ENDED.issuperset(world.states(ids)):
        try:
            world.until(lambda: ENDED.issuperset(world.states(ids)))
        except ClaimLost:  # as worker/tasks.py takes it
            lost += 1
    return lost


def staged(world: World) -> list[int]:
    """A draft that is due as soon as anybody looks, and no sooner."""
    ids = make_posts(world, "acme", ["once"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    make_due(world, ids)
    return ids


def sent(world: World) -> list[str]:
    return [send["content"] for send in world.sandbox.sends()]


def release_late(world: World, post_id: int) -> None:
    """The status change that was lost on its way lands now: our first id's."""
    with world.database.transaction() as session:
        query = text("SELECT postiz_id FROM handovers WHERE post_id = :id ORDER BY id LIMIT 1")
        postiz_id = session.scalar(query, {"id": post_id})
    url = f"{world.api_url}/posts/{postiz_id}/status"
    requests.put(url, json={"status": "schedule"}, headers={"Authorization": KEY}, timeout=120)


@pytest.mark.parametrize(
    ("moment", "certain"),
    [
        ("release.after_unclear", True),  # before it is first looked at
        ("park.before_call", False),  # after that look, before the move to 2099
        ("park.after_call", False),  # it stands in 2099, and was not seen there yet
        ("delete.before_call", False),  # it was seen there as a draft
        ("delete.after_call", True),
        ("stage.after_call", True),  # of the second staging
        ("release.after_call", True),  # the second id is on its way as well
    ],
)
def test_a_status_change_that_lands_late_publishes_nothing_twice(
    world: World, moment: str, certain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`certain`: it is published, and known to be. Else a person may have to look."""
    ids = staged(world)
    world.sandbox.add_fault("reply_lost_before", route=CHANGE, times=1)
    met = at(moment, lambda: release_late(world, ids[0]), monkeypatch)
    assert until_ended(world, ids) == 0
    assert moment in met
    assert len(sent(world)) <= 1
    post = world.post(ids[0])
    if certain or post.state == PostState.PUBLISHED:
        assert (post.state, sent(world)) == (PostState.PUBLISHED, ["once"])
    else:
        assert post.error_code == "outcome_unknown"


@pytest.mark.parametrize("seconds", [CALL_SECONDS + 0.5, CALL_SECONDS + 4])
@pytest.mark.parametrize("route", [CREATE, DELETE])
def test_a_move_or_a_delete_that_lands_late_harms_nothing(
    world: World, route: str, seconds: float
) -> None:
    ids = staged(world)
    world.sandbox.add_fault("reply_lost_before", route=CHANGE, times=1)
    world.sandbox.add_fault("hang_then_do", route=route, times=1, seconds=seconds)
    assert until_ended(world, ids) == 0
    assert (world.states(ids), sent(world)) == ([PostState.PUBLISHED], ["once"])


@pytest.mark.parametrize("route", [CHANGE, DELETE])
def test_what_a_proxy_repeats_at_once_harms_nothing(world: World, route: str) -> None:
    ids = staged(world)
    if route == DELETE:
        world.sandbox.add_fault("reply_lost_before", route=CHANGE, times=1)
    world.sandbox.add_fault("repeat_request", route=route, times=1)
    assert until_ended(world, ids) == 0
    assert (world.states(ids), sent(world)) == ([PostState.PUBLISHED], ["once"])


@pytest.mark.parametrize(
    "moment",
    [
        "stage.before_call",
        "stage.after_call",
        "release.before_call",
        "release.after_call",
        "park.before_call",
        "park.after_call",
        "delete.before_call",
        "delete.after_call",
    ],
)
def test_a_worker_that_wakes_after_others_did_its_work_undoes_nothing(
    world: World, elsewhere: World, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped beyond its lease just before, or after, a call; then it goes on where it was."""
    world.sandbox.add_fault("reply_lost_before", route=CHANGE, times=1)
    ids = make_posts(world, "acme", ["once"])

    def sleep_long() -> None:
        with world.database.transaction() as session:
            for statement in (
                "UPDATE posts SET lease_until = now() - interval '1 second'"
                " WHERE lease_until IS NOT NULL",
                "UPDATE accounts SET lease_until = NULL",
                "UPDATE submissions SET sent_at = sent_at - interval '1 hour'",
            ):
                session.execute(text(statement))
        others.append(until_ended(elsewhere, ids))

    others: list[int] = []
    met = at(moment, sleep_long, monkeypatch)
    lost = until_ended(world, ids)
    wait_until(lambda: bool(others))  # a release stops in a thread of its own
    world.until(lambda: not waiting_tasks(world.runtime))
    assert moment in met
    assert others == [0], "nobody stood in the way of those who did its work"
    assert lost == moment.startswith("stage."), "elsewhere it looks before it writes"
    assert sent(world) == ["once"]
    assert world.states(ids) == [PostState.PUBLISHED]
