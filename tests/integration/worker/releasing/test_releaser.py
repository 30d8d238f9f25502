"""Many releases at a time: over several servers, beside one that hangs, and one that fails."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from shared import metrics
from shared.domain.publishing.fairness import DueProfile
from shared.domain.publishing.states import PostState
from shared.errors import OutcomeUnknown, PressroomError, Transient
from shared.models import Post, Server
from shared.profiles.publisher_cache import Publisher, Publishers
from tests.factories.rows import LONG_AGO, Rows
from tests.timing.patience import PATIENCE, wait_until
from tests.workers import releases
from tests.workers.inline_tasks import only_child, waiting_tasks
from tests.workers.memory_postiz import MemoryPostiz
from worker.releasing import claims, release_run
from worker.releasing.due_posts import DuePost, Turns
from worker.releasing.releaser import PLACES, Releaser
from worker.runtime import Runtime

S = PostState
CONTAINED = ("pressroom_contained_failures_total", {"where": "release"})


@pytest.fixture
def two(runtime: Runtime) -> tuple[Rows, Rows]:
    """Two accounts on servers of their own, which have been quiet for long."""
    both = Rows(runtime.database), Rows(runtime.database)
    with runtime.database.transaction() as session:
        session.execute(update(Post).where(Post.state == S.STAGED).values(state=S.CANCELLED))
        session.add_all(Server(server=each.server, next_write_at=LONG_AGO) for each in both)
    return both


@pytest.fixture
def postiz(runtime: Runtime, two: tuple[Rows, Rows]) -> Iterator[dict[str, MemoryPostiz]]:
    """By profile: the Postiz of its account."""
    by_profile = {rows.profile_id: MemoryPostiz(f"{rows.server}/public/v1") for rows in two}
    accounts = {rows.profile_id: rows.account_id for rows in two}

    def build(profile_id: str) -> Publisher:
        return Publisher(profile_id, 1, accounts[profile_id], by_profile[profile_id])

    runtime.publishers = Publishers(build)
    yield by_profile
    waiting_tasks(runtime).clear()


def due(rows: Rows, *, writes: int = 50) -> DueProfile:
    return DueProfile(
        profile_id=rows.profile_id,
        account_id=rows.account_id,
        server=rows.server,
        due_at=datetime.now(UTC) - timedelta(minutes=1),
        writes=writes,
    )


def states(rows: Rows, ids: list[int]) -> list[str]:
    return [rows.post(post_id).state for post_id in ids]


def test_one_claim_takes_posts_of_several_servers_in_turn(
    runtime: Runtime, two: tuple[Rows, Rows]
) -> None:
    first, second = two
    ids = [rows.posts(S.STAGED, 2) for rows in two]
    claimed = claims.claim_releases(runtime, [Turns(due=due(rows), count=9) for rows in two])
    assert [release.post_id for release in claimed] == [ids[0][0], ids[1][0], ids[0][1], ids[1][1]]
    assert len({release.claim for release in claimed}) == 1
    assert states(first, ids[0]) + states(second, ids[1]) == [S.RELEASING] * 4
    assert claims.claim_releases(runtime, [Turns(due=due(rows), count=9) for rows in two]) == []


def test_a_post_that_cannot_be_claimed_keeps_no_other_from_it(
    runtime: Runtime, two: tuple[Rows, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    [bad], [good] = first.posts(S.STAGED), second.posts(S.STAGED)
    as_release = claims._as_release

    def fail_for_one(session: object, due_post: DuePost, *more: object) -> object:
        if due_post.post.id == bad:
            raise KeyError("of the test")
        return as_release(session, due_post, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "_as_release", fail_for_one)
    claimed = claims.claim_releases(runtime, [Turns(due=due(rows), count=2) for rows in two])
    assert [release.post_id for release in claimed] == [good]
    assert first.post(bad).state == S.STAGED
    assert first.post(bad).error_code == "internal_error"
    assert (first.account().failures, second.account().failures) == (0, 0)


def test_an_id_that_was_released_before_keeps_no_other_from_it(
    runtime: Runtime, two: tuple[Rows, Rows]
) -> None:
    first, _ = two
    ids = first.posts(S.STAGED, 3)
    first.change_handover(ids[1], released_at=LONG_AGO)
    claimed = claims.claim_releases(runtime, [Turns(due=due(first), count=3)])
    assert [release.post_id for release in claimed] == [ids[0], ids[2]]
    assert first.post(ids[1]).state == S.STAGED


def test_a_server_that_hangs_holds_its_own_places_and_no_run(
    runtime: Runtime, two: tuple[Rows, Rows], postiz: dict[str, MemoryPostiz]
) -> None:
    hung, good = two
    let_go = threading.Event()
    postiz[hung.profile_id].before_check = lambda: let_go.wait(PATIENCE)  # type: ignore[assignment]
    waiting, quick = hung.posts(S.STAGED, 20), good.posts(S.STAGED, 20)
    began = time.monotonic()
    try:
        while states(good, quick) != [S.RELEASING] * 20 or waiting_tasks(runtime):
            waiting_tasks(runtime).clear()
            release_run.release_due_posts(runtime, only_child())
            assert time.monotonic() < began + PATIENCE
        under_way = runtime.keep(Releaser).count_calls_since(0.0)
        assert under_way == states(hung, waiting).count(S.RELEASING) == PLACES.unsure
        assert len(postiz[good.profile_id].written) == 20
    finally:
        let_go.set()
    wait_until(lambda: not runtime.keep(Releaser).count_calls_since(0.0))
    released = [post_id for post_id in waiting if hung.post(post_id).state == S.RELEASING]
    assert [hung.handover(post_id).release_status for post_id in released] == [200] * len(released)
    assert ("pressroom.reconcile", hung.account_id) in waiting_tasks(runtime)
    assert len(postiz[hung.profile_id].written) == len(released)


def test_a_run_ends_though_a_call_hangs(
    runtime: Runtime, two: tuple[Rows, Rows], postiz: dict[str, MemoryPostiz]
) -> None:
    hung, _ = two
    let_go = threading.Event()
    postiz[hung.profile_id].before_check = lambda: let_go.wait(PATIENCE)  # type: ignore[assignment]
    [post] = hung.posts(S.STAGED)
    try:
        release_run.release_due_posts(runtime, only_child())
        assert runtime.keep(Releaser).count_calls_since(0.0) == 1
        assert hung.handover(post).release_status is None
    finally:
        let_go.set()
    wait_until(lambda: hung.handover(post).release_status == 200)


def test_what_a_thread_meets_unexpectedly_is_raised_by_its_run(
    runtime: Runtime, two: tuple[Rows, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = two
    [post] = rows.posts(S.STAGED)

    def fail(*_: object) -> None:
        raise KeyError("of the test")

    monkeypatch.setattr("worker.releasing.releaser.send_release", fail)
    with pytest.raises(KeyError):
        releases.release_due(runtime, due(rows))
    assert rows.post(post).state == S.RELEASING  # until its lease ends, and it is read


@pytest.mark.parametrize("error", [Transient("refused"), OutcomeUnknown("no answer")])
def test_calls_that_meet_one_outage_are_one_failure_of_their_account(
    runtime: Runtime, two: tuple[Rows, Rows], postiz: dict[str, MemoryPostiz], error: PressroomError
) -> None:
    rows, _ = two
    ids = rows.posts(S.STAGED, 6)
    releases.release_due(runtime, due(rows))  # it answers, and is quick
    both_sent = threading.Barrier(5)
    postiz[rows.profile_id].before_check = lambda: both_sent.wait(PATIENCE)  # type: ignore[assignment]
    postiz[rows.profile_id].error = error
    assert releases.release_due(runtime, due(rows)) == 5
    assert rows.account().failures == 1
    assert rows.account().healthy
    expected = S.STAGED if isinstance(error, Transient) else S.RELEASING
    assert states(rows, ids[1:]) == [expected] * 5


def test_an_error_that_no_run_waits_for_is_contained(
    runtime: Runtime,
    two: tuple[Rows, Rows],
    postiz: dict[str, MemoryPostiz],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The post stays as it is until its lease ends; then it is read."""
    rows, _ = two
    [post] = rows.posts(S.STAGED)
    let_go = threading.Event()
    postiz[rows.profile_id].before_check = lambda: let_go.wait(PATIENCE)  # type: ignore[assignment]
    release_run.release_due_posts(runtime, only_child())
    releaser = runtime.keep(Releaser)
    before = metrics.COUNTED.get_sample_value(*CONTAINED) or 0.0

    def fail(*_: object) -> None:
        raise KeyError("of the test")

    monkeypatch.setattr(releaser._recorder, "record", fail)
    let_go.set()
    wait_until(lambda: not releaser.count_calls_since(0.0))
    assert metrics.COUNTED.get_sample_value(*CONTAINED) == before + 1
    assert rows.post(post).state == S.RELEASING
