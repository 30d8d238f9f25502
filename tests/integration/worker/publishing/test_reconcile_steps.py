"""Each step of the search for what became of a release: what it writes, and when it looks again."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import db
from shared.domain.publishing import reconciliation
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, OutcomeUnknown, PostRejected, PressroomError, Transient
from shared.models import Post
from shared.postiz.client import RemotePost
from tests.factories.rows import LONG_AGO, Rows
from tests.workers.memory_postiz import MemoryPostiz
from tests.workers.runtimes import make_runtime
from worker.accounts import remote_posts
from worker.accounts.error_policy import MAX_ATTEMPTS
from worker.accounts.remote_delete import DeleteSlice
from worker.publishing import park, reconcile, usual_outcomes
from worker.runtime import Runtime

S = PostState
UNKNOWN_AFTER, GIVE_UP_AFTER = timedelta(seconds=60), timedelta(hours=2)
SOON = datetime.now(UTC) + timedelta(hours=1)
PAST = datetime.now(UTC) - timedelta(seconds=1)
IN_2099 = datetime(2099, 3, 1, tzinfo=UTC)
#: What a slow machine may take for one step.
SLACK = timedelta(seconds=20)
SAID: dict[str, Any] = {"error_code": "x", "error_message": "why it waits", "error_hint": "wait"}


@pytest.fixture(scope="module")
def runtime(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    seconds = UNKNOWN_AFTER.total_seconds()
    made = make_runtime(
        module_database_url,
        tmp_path_factory.mktemp("home"),
        PRESSROOM_UNKNOWN_RELEASE_SECONDS=str(seconds),
    )
    yield made
    made.close()


def releasing(rows: Rows, *, age: timedelta = timedelta(0), **values: Any) -> int:
    """A post whose release was sent `age` ago, and is due for a look."""
    [post] = rows.posts(S.RELEASING, **{"lease_until": PAST, "attempts": 1, **values})
    rows.change_handover(post, released_at=datetime.now(UTC) - age)
    return post


def parked(
    rows: Rows, handover: str = "parked", *, handover_values: Any = (), **values: Any
) -> int:
    """A post whose draft was moved to 2099 after its release had come to nothing."""
    post = releasing(rows, age=2 * UNKNOWN_AFTER, **values)
    rows.change_handover(post, state=handover, parked_at=IN_2099, **dict(handover_values))
    return post


def listed(postiz: MemoryPostiz, rows: Rows, post: int, state: str) -> RemotePost:
    """Postiz lists it from now on, at the date that it was given last."""
    row = rows.handover(post)
    remote = RemotePost(
        id=row.postiz_id,
        state=state,
        publish_at=row.parked_at or row.marker_at,
        content="text",
        integration_id=rows.integration_id,
        release_url="https://network.example/1" if state == "PUBLISHED" else None,
    )
    postiz.listed.append(remote)
    return remote


def settle(runtime: Runtime, rows: Rows) -> None:
    reconcile.settle(runtime, rows.account_id)


def claim(runtime: Runtime, rows: Rows) -> remote_posts.Subject:
    [subject] = remote_posts.claim_subjects(
        runtime, rows.account_id, [Post.state == S.RELEASING], lease_column="lease_until"
    )
    return subject


def is_in(moment: datetime | None, pause: timedelta) -> bool:
    """Whether it lies `pause` ahead, by a clock that has gone on a little."""
    return moment is not None and pause - SLACK < moment - datetime.now(UTC) <= pause


# Which releases are looked at


def test_only_a_release_whose_lease_is_over_is_looked_at(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = releasing(rows, lease_until=SOON)
    [staged] = rows.posts(S.STAGED, lease_until=PAST)
    listed(memory_postiz, rows, post, "QUEUE")
    with rows.database.transaction() as session:
        assert rows.account_id not in reconcile.find_due_accounts(session)
    settle(runtime, rows)
    assert (rows.post(post).state, rows.post(post).lease_until) == (S.RELEASING, SOON)
    assert rows.post(staged).state == S.STAGED
    rows.change_posts([post], lease_until=PAST)
    with rows.database.transaction() as session:
        assert rows.account_id in reconcile.find_due_accounts(session)
    settle(runtime, rows)
    assert rows.post(post).state == S.SCHEDULED


def test_what_one_post_meets_stops_no_other(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = releasing(rows), releasing(rows)
    listed(memory_postiz, rows, bad, "QUEUE")
    listed(memory_postiz, rows, good, "QUEUE")
    mark_scheduled = usual_outcomes.mark_scheduled

    def fail_for_one(session: Any, subjects: list[remote_posts.Subject], now: datetime) -> None:
        if bad in [subject.post_id for subject in subjects]:
            raise KeyError("of the test")
        mark_scheduled(session, subjects, now)

    monkeypatch.setattr(usual_outcomes, "mark_scheduled", fail_for_one)
    settle(runtime, rows)
    assert (rows.post(bad).state, rows.post(good).state) == (S.RELEASING, S.SCHEDULED)
    assert rows.post(bad).error_code == "internal_error"
    assert rows.timeline(bad) == [("internal_error", "an error of Pressroom's own: KeyError")]


def test_an_unforeseen_failure_of_the_whole_look_rests_the_account(
    runtime: Runtime, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("of the test")

    monkeypatch.setattr(remote_posts, "claim_subjects", fail)
    settle(runtime, rows)
    assert rows.account().failures == 1


# Postiz has taken it over


def test_what_waits_in_postiz_is_scheduled_and_followed(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = releasing(rows, attempts=3, **SAID)
    listed(memory_postiz, rows, post, "QUEUE")
    settle(runtime, rows)
    taken = rows.post(post)
    assert (taken.state, taken.attempts, taken.lease_until) == (S.SCHEDULED, 0, None)
    assert (taken.error_code, taken.error_message, taken.error_hint) == (None, None, None)
    assert is_in(taken.track_at, timedelta(seconds=1))
    assert rows.timeline(post) == [("scheduled", None)]


def test_what_is_published_by_then_is_so_at_once(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = releasing(rows)
    listed(memory_postiz, rows, post, "PUBLISHED")
    settle(runtime, rows)
    out = rows.post(post)
    assert (out.state, out.release_url) == (S.PUBLISHED, "https://network.example/1")
    assert [event for event, _ in rows.timeline(post)] == ["scheduled", "published"]


@pytest.mark.parametrize("publish_at", [SOON, LONG_AGO])
def test_it_is_looked_at_a_second_after_its_time_or_after_now(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz, publish_at: datetime
) -> None:
    post = releasing(rows, publish_at=publish_at, **SAID)
    subject = claim(runtime, rows)
    with rows.database.transaction() as session:
        now = db.read_clock(session)
        reconcile._record_step(session, subject, reconciliation.HandedOver(), now)
    taken = rows.post(post)
    assert taken.track_at == max(publish_at, now) + timedelta(seconds=1)
    assert (taken.error_code, taken.error_message, taken.error_hint) == (None, None, None)


# It is not known yet


@pytest.mark.parametrize(
    ("age", "pause"),
    [(timedelta(0), timedelta(seconds=1)), (2 * UNKNOWN_AFTER, UNKNOWN_AFTER / 6)],
)
def test_what_is_not_seen_is_looked_for_again(
    runtime: Runtime,
    rows: Rows,
    memory_postiz: MemoryPostiz,
    age: timedelta,
    pause: timedelta,
) -> None:
    post = releasing(rows, age=age)
    settle(runtime, rows)
    left = rows.post(post)
    assert (left.state, left.attempts) == (S.RELEASING, 1)
    assert is_in(left.lease_until, pause)
    assert (rows.timeline(post), rows.handover(post).state) == ([], "releasing")
    assert memory_postiz.written == []


def test_a_draft_is_left_alone_while_its_status_change_may_still_land(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = releasing(rows, age=UNKNOWN_AFTER - 2 * SLACK)
    listed(memory_postiz, rows, post, "DRAFT")
    settle(runtime, rows)
    assert is_in(rows.post(post).lease_until, timedelta(seconds=1))
    assert rows.handover(post).to_park_at is None


def test_what_is_never_seen_is_left_to_a_person_and_followed(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = releasing(rows, age=GIVE_UP_AFTER + SLACK)
    settle(runtime, rows)
    given_up = rows.post(post)
    message = "Postiz never said what became of the release."
    assert (given_up.state, given_up.error_code) == (S.FAILED, "outcome_unknown")
    assert given_up.error_message == message
    assert "It may have been published." in str(given_up.error_hint)
    assert is_in(given_up.track_at, timedelta(seconds=60))
    assert rows.timeline(post) == [("failed", message)]
    assert rows.handover(post).buried_at is None


# It stands there as a draft: it is parked


def test_a_draft_is_moved_to_2099_once_enough_time_is_over(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = releasing(rows, age=UNKNOWN_AFTER + SLACK)
    listed(memory_postiz, rows, post, "DRAFT")
    settle(runtime, rows)
    assert memory_postiz.written == []  # it waits for others, to share one call with them
    assert rows.handover(post).to_park_at is not None
    rows.change_posts([post], lease_until=PAST)
    rows.change_handover(post, to_park_at=LONG_AGO)
    settle(runtime, rows)
    row = rows.handover(post)
    assert memory_postiz.written == [("move", row.postiz_id)]
    assert (row.state, row.tries, rows.account().budget_used) == ("parked", 0, 1)
    assert row.parked_at is not None
    assert row.parked_at >= park.FIRST_PARKING_DATE
    assert [event for event, _ in rows.timeline(post)] == ["parking", "parked"]


# A person's word that it was not published


def told(rows: Rows, post: int, *, ago: timedelta, watched_from: datetime | None = None) -> None:
    word_at = datetime.now(UTC) - ago
    rows.change_handover(post, word_at=word_at, watched_from=watched_from)


def test_on_a_persons_word_what_waits_is_parked_and_watched_anew(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = releasing(rows)
    told(rows, post, ago=timedelta(0), watched_from=LONG_AGO)
    listed(memory_postiz, rows, post, "QUEUE")
    settle(runtime, rows)
    assert rows.handover(post).watched_from is None
    assert rows.handover(post).to_park_at is not None
    assert rows.post(post).state == S.RELEASING


def test_what_waits_in_2099_is_watched_from_the_first_look_on(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows)
    told(rows, post, ago=timedelta(0))
    listed(memory_postiz, rows, post, "QUEUE")
    settle(runtime, rows)
    since = rows.handover(post).watched_from
    assert is_in(since, timedelta(0))
    assert is_in(rows.post(post).lease_until, UNKNOWN_AFTER / 6)
    rows.change_posts([post], lease_until=PAST)
    settle(runtime, rows)
    assert rows.handover(post).watched_from == since
    assert (rows.post(post).state, memory_postiz.written) == (S.RELEASING, [])


def test_what_still_waits_there_after_its_time_is_deleted(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows)
    told(rows, post, ago=UNKNOWN_AFTER, watched_from=datetime.now(UTC) - UNKNOWN_AFTER)
    listed(memory_postiz, rows, post, "QUEUE")
    settle(runtime, rows)
    assert memory_postiz.written == [("delete", rows.handover(post).postiz_id)]
    assert rows.post(post).state == S.PENDING


def test_the_time_of_a_release_counts_from_the_persons_word(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = releasing(rows, age=GIVE_UP_AFTER + SLACK)
    told(rows, post, ago=timedelta(0))
    settle(runtime, rows)
    assert is_in(rows.post(post).lease_until, timedelta(seconds=1))
    assert rows.post(post).state == S.RELEASING


# It is parked: it is deleted, and staged again


def test_a_parked_draft_is_deleted_and_its_post_staged_again(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows, attempts=MAX_ATTEMPTS - 1, postiz_post_id="p", release_at=PAST, **SAID)
    listed(memory_postiz, rows, post, "DRAFT")
    settle(runtime, rows)
    again, row = rows.post(post), rows.handover(post)
    assert memory_postiz.written == [("delete", row.postiz_id)]
    assert (again.state, again.attempts, again.lease_until) == (
        S.PENDING,
        MAX_ATTEMPTS - 1,
        None,
    )
    assert (again.submission_id, again.postiz_post_id) == (None, None)
    assert (again.release_at, again.released_at) == (None, None)
    assert (again.error_code, again.error_message, again.error_hint) == (None, None, None)
    assert (row.state, row.buried_why) == ("buried", "deleted by us after parking")
    assert rows.timeline(post) == [("release_undone", "deleted by us after parking")]
    assert ("pressroom.stage", rows.account_id) in runtime.waker.waiting  # type: ignore[attr-defined]


def test_a_release_undone_too_often_is_given_up(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows, attempts=MAX_ATTEMPTS)
    listed(memory_postiz, rows, post, "DRAFT")
    settle(runtime, rows)
    given_up = rows.post(post)
    message = "given up after 10 attempts to release it; it is not published"
    assert (given_up.state, given_up.error_code) == (S.FAILED, "too_many_attempts")
    assert given_up.error_message == message
    assert given_up.error_hint == "Look at Postiz's health, then retry it."
    assert (given_up.track_at, rows.handover(post).state) == (None, "buried")
    assert rows.timeline(post) == [("failed", message)]


def test_what_is_gone_after_our_delete_is_staged_again(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows, "deleting")
    settle(runtime, rows)
    row = rows.handover(post)
    assert (rows.post(post).state, memory_postiz.written) == (S.PENDING, [])
    assert (row.state, row.buried_why) == ("discarded", "gone after our delete")
    assert rows.timeline(post) == [("release_undone", "gone after our delete")]


def test_a_delete_without_time_left_is_made_in_a_later_look(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows)
    subject = claim(runtime, rows)
    reconcile._delete_parked_draft(runtime, subject, DeleteSlice(ends=0.0))
    assert memory_postiz.written == []
    assert is_in(rows.post(post).lease_until, timedelta(seconds=1))
    assert (rows.post(post).state, rows.handover(post).state) == (S.RELEASING, "parked")
    assert rows.timeline(post) == []


def test_whoever_lost_the_claim_deletes_nothing(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows)
    remote = listed(memory_postiz, rows, post, "DRAFT")
    stale = claim(runtime, rows)
    newer = claim(runtime, rows)
    turn = DeleteSlice(ends=time.monotonic() + 60)
    assert reconcile._perform_next_step(runtime, stale, remote, turn) is None
    with pytest.raises(ClaimLost):
        reconcile._delete_parked_draft(runtime, stale, turn)
    assert (memory_postiz.written, rows.handover(post).state) == ([], "parked")
    assert turn.failed == 0
    step = reconcile._perform_next_step(runtime, newer, remote, turn)
    assert step == reconciliation.Delete()
    assert rows.post(post).state == S.PENDING


def test_what_was_settled_meanwhile_is_not_deleted(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows)
    subject = claim(runtime, rows)
    rows.change_posts([post], state=S.FAILED)
    with pytest.raises(ClaimLost):
        reconcile._delete_parked_draft(runtime, subject, DeleteSlice(ends=time.monotonic() + 60))
    assert memory_postiz.written == []


def with_status(error: PostRejected | OutcomeUnknown, status: int) -> PressroomError:
    error.status = status
    return error


@pytest.mark.parametrize(
    ("error", "failures", "tries", "events"),
    [
        (with_status(OutcomeUnknown("a 500"), 500), 0, 1, [("delete_unknown", "a 500")]),
        (with_status(PostRejected("a 400"), 400), 0, 1, [("delete_unknown", "a 400")]),
        (OutcomeUnknown("no answer"), 1, 1, [("delete_unknown", "no answer")]),
        (Transient("refused"), 1, 0, []),
    ],
)
def test_a_delete_that_came_to_nothing_is_made_again_later(
    runtime: Runtime,
    rows: Rows,
    memory_postiz: MemoryPostiz,
    error: PressroomError,
    failures: int,
    tries: int,
    events: list[tuple[str, str]],
) -> None:
    post = parked(rows)
    memory_postiz.error = error
    turn = DeleteSlice(ends=time.monotonic() + 60)
    reconcile._delete_parked_draft(runtime, claim(runtime, rows), turn)
    left, row = rows.post(post), rows.handover(post)
    assert (left.state, row.state, row.tries) == (S.RELEASING, "deleting", tries)
    assert is_in(left.lease_until, timedelta(seconds=2))
    assert (rows.timeline(post), rows.account().failures) == (events, failures)


def test_a_draft_that_postiz_never_deletes_is_left_there(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows, "deleting", handover_values={"tries": 11})
    listed(memory_postiz, rows, post, "DRAFT")
    memory_postiz.error = with_status(OutcomeUnknown("a 500"), 500)
    settle(runtime, rows)
    left, row = rows.post(post), rows.handover(post)
    message = (
        "It is not published: its release came to nothing, and Postiz does not delete the "
        "draft of it, which was moved to 2099 (a 500)."
    )
    assert (left.state, left.error_code) == (S.FAILED, "draft_left_in_postiz")
    assert (left.error_message, left.track_at) == (message, None)
    assert left.error_hint == "Retry it; and delete that draft in Postiz's calendar."
    assert (row.state, row.buried_why) == ("discarded", "parked, and not to be deleted")
    assert rows.timeline(post) == [("failed", message)]


def test_parked_on_a_word_alone_and_never_deleted_its_end_is_unknown(
    runtime: Runtime, rows: Rows, memory_postiz: MemoryPostiz
) -> None:
    post = parked(rows, "deleting", handover_values={"tries": 11})
    told(rows, post, ago=timedelta(0))
    listed(memory_postiz, rows, post, "DRAFT")
    memory_postiz.error = with_status(OutcomeUnknown("a 500"), 500)
    settle(runtime, rows)
    left = rows.post(post)
    assert (left.state, left.error_code) == (S.FAILED, "outcome_unknown")
    assert left.error_message == "Postiz does not delete it (a 500)."
    assert is_in(left.track_at, timedelta(seconds=60))
    assert rows.handover(post).buried_at is None  # it may be live, and is followed
