"""Which draft is released next, and what each end of its one call leaves behind."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from shared import metrics
from shared.accounts import waits
from shared.domain.publishing.fairness import DueProfile
from shared.domain.publishing.states import PostState
from shared.errors import OutcomeUnknown, PostRejected, PressroomError, Transient
from shared.models import Handover, Job, Post, Profile, Server, Submission
from tests.factories.rows import LONG_AGO, Rows
from tests.workers import releases
from tests.workers.memory_postiz import MemoryPostiz
from worker.releasing import claims, due_posts
from worker.runtime import Runtime

S = PostState
ATTEMPTED, NOTHING_DONE = 1, 0
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SOON = datetime.now(UTC) + timedelta(hours=1)
#: What a slow machine may take for one step.
SLACK = timedelta(seconds=20)


@pytest.fixture(autouse=True)
def free_server(rows: Rows) -> None:
    """It has been quiet for so long that many writes may be made there at once."""
    with rows.database.transaction() as session:
        session.add(Server(server=rows.server, next_write_at=LONG_AGO))


def ago(distance: timedelta) -> datetime:
    return datetime.now(UTC) - distance


def staged(rows: Rows, **values: Any) -> int:
    [post] = rows.posts(S.STAGED, **values)
    return post


def due_profile(rows: Rows, *, sound: bool = True) -> DueProfile:
    return DueProfile(
        profile_id=rows.profile_id,
        account_id=rows.account_id,
        server=rows.server,
        due_at=ago(MINUTE),
        sound=sound,
    )


def release_one(runtime: Runtime, rows: Rows, *, sound: bool = True) -> int:
    return releases.release_due(runtime, due_profile(rows, sound=sound))


def released(rows: Rows, posts: list[int]) -> list[int]:
    """Those that were released, in their order."""
    with rows.database.transaction() as session:
        query = select(Post.id).where(Post.id.in_(posts), Post.state == S.RELEASING)
        return list(session.scalars(query.order_by(Post.released_at)))


# The end of the call


def test_a_release_is_made_once_and_looked_at_at_once(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = staged(rows)
    rows.change_account(failures=1)
    assert release_one(runtime, rows) == ATTEMPTED
    after, row = rows.post(post), rows.handover(post)
    assert memory_postiz.written == [("release", row.postiz_id)]
    assert (after.state, after.attempts, row.state) == (S.RELEASING, 1, "releasing")
    assert row.release_status == 200
    assert after.lease_until is not None
    assert after.lease_until <= datetime.now(UTC) + SLACK
    for moment in (after.released_at, row.released_at):
        assert moment is not None
        assert abs(moment - datetime.now(UTC)) < SLACK
    assert rows.timeline(post) == [("releasing", None)]
    assert rows.account().failures == 0
    assert release_one(runtime, rows) == NOTHING_DONE
    assert len(memory_postiz.written) == 1


@pytest.mark.parametrize(
    ("error", "failures"), [(OutcomeUnknown("no answer"), 1), (PostRejected("unknown id"), 0)]
)
def test_only_a_look_can_tell_what_became_of_an_unclear_release(
    runtime: Runtime,
    rows: Rows,
    memory_postiz: MemoryPostiz,
    error: PressroomError,
    failures: int,
) -> None:
    post, other = staged(rows), rows.posts(S.RELEASING, lease_until=SOON)[0]
    memory_postiz.error = error
    assert release_one(runtime, rows) == ATTEMPTED
    after = rows.post(post)
    assert (after.state, after.attempts) == (S.RELEASING, 1)
    assert after.lease_until is not None
    assert after.lease_until <= datetime.now(UTC) + SLACK
    assert rows.handover(post).release_status == 0
    assert rows.handover(post).released_at is not None
    assert rows.timeline(post) == [("releasing", None), ("release_unknown", error.message)]
    assert rows.account().failures == failures
    assert (rows.post(other).lease_until, rows.handover(other).release_status) == (SOON, None)
    assert rows.timeline(other) == []


def test_what_never_left_is_released_later(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post, other = staged(rows), rows.posts(S.RELEASING)[0]
    memory_postiz.error = Transient("refused")
    assert release_one(runtime, rows) == ATTEMPTED
    after, row = rows.post(post), rows.handover(post)
    assert (after.state, after.attempts, after.released_at) == (S.STAGED, 0, None)
    assert after.release_at is not None
    assert (row.state, row.released_at, row.release_status) == ("staged", None, None)
    assert rows.timeline(post) == [("releasing", None), ("release_delayed", "refused")]
    assert rows.account().failures == 1
    assert rows.handover(other).state == "releasing"


def test_a_pause_at_the_last_moment_keeps_it_back(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = staged(rows)
    memory_postiz.before_check = lambda: rows.change_account(paused=True)
    assert release_one(runtime, rows) == ATTEMPTED
    assert (rows.post(post).state, memory_postiz.written) == (S.STAGED, [])
    assert rows.timeline(post)[-1] == ("release_delayed", "held back before it was released")
    assert rows.account().failures == 0


def test_whoever_was_frozen_beyond_the_lease_sends_and_writes_nothing(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = staged(rows)
    lapsed = ago(SECOND)
    memory_postiz.before_check = lambda: rows.change_posts([post], lease_until=lapsed)
    assert release_one(runtime, rows) == ATTEMPTED
    assert memory_postiz.written == []
    assert (rows.post(post).state, rows.post(post).lease_until) == (S.RELEASING, lapsed)
    assert rows.timeline(post) == [("releasing", None)]
    assert rows.handover(post).release_status is None


# The claim


def test_a_release_is_leased_under_a_claim_of_its_own(runtime: Runtime, rows: Rows) -> None:
    post = staged(rows)
    one = releases.claim_first(runtime, due_profile(rows))
    assert one is not None
    row, lease = rows.handover(post), timedelta(seconds=runtime.settings.lease_seconds)
    assert (one.post_id, one.handover_id, one.postiz_id) == (post, row.id, row.postiz_id)
    assert one.credentials == rows.credentials
    assert one.claim == rows.post(post).claim != 0
    left = rows.post(post).lease_until
    assert left is not None
    assert lease - SLACK < left - datetime.now(UTC) <= lease
    assert runtime.counts[rows.profile_id] == 1


def lateness_count(due: str) -> float:
    labels = {"due": due}
    name = "pressroom_release_lateness_seconds_count"
    return metrics.COUNTED.get_sample_value(name, labels) or 0.0


def test_how_late_a_planned_release_is_gets_counted(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    before = lateness_count("planned"), lateness_count("at once")
    staged(rows, created_at=ago(timedelta(hours=1)))
    assert release_one(runtime, rows) == ATTEMPTED
    assert (lateness_count("planned"), lateness_count("at once")) == (before[0] + 1, before[1])


def test_an_id_that_was_given_up_is_not_the_one_that_is_released(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = staged(rows)
    alive = rows.handover(post)
    with rows.database.transaction() as session:
        session.add(
            Handover(
                post_id=post,
                account_id=rows.account_id,
                submission_id=alive.submission_id,
                postiz_id=f"dead-{post}",
                marker_at=LONG_AGO,
                buried_at=LONG_AGO,
            )
        )
    assert release_one(runtime, rows) == ATTEMPTED
    assert memory_postiz.written == [("release", alive.postiz_id)]


# Whose turn it is


def test_the_first_that_is_due_goes_first(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    later, first = staged(rows, release_at=ago(MINUTE)), staged(rows, release_at=ago(2 * MINUTE))
    not_yet = staged(rows, release_at=SOON)
    for _ in range(3):
        release_one(runtime, rows)
    assert released(rows, [later, first, not_yet]) == [first, later]


def test_a_post_with_a_time_of_its_own_goes_before_a_backlog_three_times_of_four(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    backlog = [staged(rows, release_at=ago(timedelta(hours=5))) for _ in range(2)]
    planned = {"created_at": LONG_AGO, "release_at": ago(SECOND)}
    near = [staged(rows, publish_at=ago(MINUTE), **planned) for _ in range(3)]
    near.append(staged(rows, publish_at=datetime.now(UTC) + 1.5 * MINUTE, **planned))
    far = staged(rows, publish_at=datetime.now(UTC) + 3 * MINUTE, **planned)
    order = []
    for _ in range(7):
        assert release_one(runtime, rows) == ATTEMPTED
        order = released(rows, [*backlog, *near, far])
    assert order == [*near[:3], backlog[0], near[3], backlog[1], far]


def test_another_profiles_post_is_left_to_its_turn(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = staged(rows)
    second = f"{rows.profile_id}-b"
    with rows.database.transaction() as session:
        values = {"name": "B", "account_id": rows.account_id, "key_hash": rows.key_hash}
        session.add(Profile(id=second, **values))
    rows.change_posts([post], profile_id=second)
    assert release_one(runtime, rows) == NOTHING_DONE
    assert rows.post(post).state == S.STAGED


@pytest.mark.parametrize("why", ["paused", "take_back"])
def test_what_may_not_go_is_passed(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz, why: str
) -> None:
    post = staged(rows)
    if why == "paused":
        rows.change_account(paused=True)
    else:
        rows.change_posts([post], take_back=True)
    assert release_one(runtime, rows) == NOTHING_DONE
    assert (rows.post(post).state, memory_postiz.written) == (S.STAGED, [])
    assert runtime.counts[rows.profile_id] == 0


def pause_jobs(rows: Rows, posts: list[int]) -> None:
    with rows.database.transaction() as session:
        of_these = select(Post.job_id).where(Post.id.in_(posts))
        session.execute(update(Job).where(Job.id.in_(of_these)).values(paused=True))


def test_paused_jobs_are_set_aside_three_in_a_turn(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    paused = [post for _ in range(5) for post in rows.posts(S.STAGED, 2)]
    runs = staged(rows, release_at=ago(SECOND))
    pause_jobs(rows, paused)
    assert release_one(runtime, rows) == NOTHING_DONE
    aside = [rows.post(post).waits_for for post in paused]
    assert aside[:6] == [waits.for_job(rows.post(post).job_id) for post in paused[:6]]
    assert aside[6:] == [""] * 4
    assert release_one(runtime, rows) == ATTEMPTED
    assert all(rows.post(post).waits_for for post in paused)
    assert released(rows, [*paused, runs]) == [runs]


# Its server


def test_on_a_busy_server_it_stays_as_it_is(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = staged(rows)
    with rows.database.transaction() as session:
        session.get_one(Server, rows.server).next_write_at = datetime.now(UTC) + MINUTE
    assert release_one(runtime, rows) == NOTHING_DONE
    assert (rows.post(post).state, memory_postiz.written) == (S.STAGED, [])
    assert runtime.counts[rows.profile_id] == 0


@pytest.mark.parametrize(("elements", "goes"), [(5, True), (6, False)])
def test_a_server_is_left_quiet_after_much_was_created(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz, elements: int, goes: bool
) -> None:
    post = staged(rows)
    created_at = datetime.now(UTC) + SLACK  # as if just now, however slow this machine is
    with rows.database.transaction() as session:
        own_call = update(Submission).where(Submission.id == rows.post(post).submission_id)
        created = {"elements": elements, "sent_at": created_at, "replied_at": created_at}
        session.execute(own_call.values(created))
    assert release_one(runtime, rows) == (ATTEMPTED if goes else NOTHING_DONE)
    after = rows.post(post)
    assert after.state == (S.RELEASING if goes else S.STAGED)
    if not goes:
        settle = timedelta(seconds=runtime.settings.settle_seconds)
        assert after.release_at == created_at + settle


def test_after_a_bad_answer_it_is_read_from_before_anything_is_released(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = staged(rows)
    rows.change_account(failures=1)
    memory_postiz.read_error = Transient("still away")
    assert release_one(runtime, rows, sound=False) == NOTHING_DONE
    assert (rows.post(post).state, rows.account().failures) == (S.STAGED, 2)
    memory_postiz.read_error = None
    rows.change_account(retry_at=None)
    assert release_one(runtime, rows, sound=False) == NOTHING_DONE
    assert (rows.post(post).state, rows.account().failures) == (S.STAGED, 0)
    assert release_one(runtime, rows, sound=False) == ATTEMPTED
    assert rows.post(post).state == S.RELEASING


# What nobody foresaw


def test_a_failure_before_a_post_was_found_rests_the_account(
    runtime: Runtime, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged(rows)

    def fail(*_: object) -> None:
        raise KeyError("of the test")

    monkeypatch.setattr(due_posts, "_lock_in_order", fail)
    assert release_one(runtime, rows) == NOTHING_DONE
    assert rows.account().failures == 1


def test_a_failure_with_a_post_makes_this_post_wait(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    bad = staged(rows, release_at=ago(2 * MINUTE))
    good = staged(rows, release_at=ago(MINUTE))
    rows.change_handover(bad, released_at=LONG_AGO)
    assert release_one(runtime, rows) == NOTHING_DONE
    blamed = rows.post(bad)
    assert (blamed.state, blamed.error_code) == (S.STAGED, "internal_error")
    assert rows.timeline(bad) == [("internal_error", claims.NO_ID)]
    assert rows.account().failures == 0
    assert release_one(runtime, rows) == ATTEMPTED
    assert released(rows, [bad, good]) == [good]
