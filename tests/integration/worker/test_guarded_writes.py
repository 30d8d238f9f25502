"""Writes that a claim guards: whoever lost it changes nothing, and whoever has it leaves no gap."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from shared import db
from shared.domain.publishing.states import PostState
from shared.errors import (
    Budget,
    ClaimLost,
    IllegalTransition,
    OutcomeUnknown,
    Paused,
    PostRejected,
    RateLimited,
    Transient,
)
from shared.models import Post
from shared.postiz.client import RemotePost
from shared.posts import transitions
from tests.factories.rows import Rows
from tests.workers import releases
from worker.accounts import leases, remote_posts, server_turns
from worker.publishing import reconcile
from worker.releasing import release
from worker.releasing.claims import Release
from worker.runtime import Runtime

S = PostState
MINE, ANOTHERS = 11, 22
SOON = datetime.now(UTC) + timedelta(hours=1)


# The one function that moves posts


def test_a_move_is_all_or_none(rows: Rows) -> None:
    first, second = rows.posts(S.STAGED, 2)
    rows.change_posts([second], state=S.RELEASING)
    with pytest.raises(ClaimLost, match="1 of 2"), rows.database.transaction() as session:
        transitions.move_posts(
            session, [first, second], S.STAGED, S.PENDING, event="account_changed"
        )
    assert (rows.post(first).state, rows.timeline(first)) == (S.STAGED, [])


def test_a_move_under_anothers_claim_changes_nothing(rows: Rows) -> None:
    [post] = rows.posts(S.RELEASING, claim=ANOTHERS)
    with pytest.raises(ClaimLost), rows.database.transaction() as session:
        transitions.move_posts(
            session, [post], S.RELEASING, S.SCHEDULED, event="scheduled", claim=MINE
        )
    assert (rows.post(post).state, rows.timeline(post)) == (S.RELEASING, [])


def test_a_move_ends_the_lease_notes_the_event_and_writes_what_else_is_so(rows: Rows) -> None:
    [post] = rows.posts(S.RELEASING, claim=MINE, lease_until=SOON)
    with rows.database.transaction() as session:
        values = {"attempts": 7}
        transitions.move_posts(
            session,
            [post],
            S.RELEASING,
            S.SCHEDULED,
            event="scheduled",
            detail="as it should",
            claim=MINE,
            values=values,
        )
    moved = rows.post(post)
    assert (moved.state, moved.lease_until, moved.attempts) == (S.SCHEDULED, None, 7)
    assert rows.timeline(post) == [("scheduled", "as it should")]


def test_a_move_that_the_table_forbids_is_refused_before_anything_is_written(rows: Rows) -> None:
    [post] = rows.posts(S.PUBLISHED)
    with pytest.raises(IllegalTransition), rows.database.transaction() as session:
        transitions.move_posts(session, [post], S.PUBLISHED, S.PENDING, event="again")
    assert rows.post(post).state == S.PUBLISHED


def test_a_failure_says_why_and_what_to_do(rows: Rows) -> None:
    [post] = rows.posts(S.RELEASING, claim=MINE)
    fail_posts = partial(
        transitions.fail_posts, code="outcome_unknown", message="Nobody knows.", hint="Look."
    )
    with pytest.raises(ClaimLost), rows.database.transaction() as session:
        fail_posts(session, [post], S.RELEASING, claim=ANOTHERS)
    with rows.database.transaction() as session:
        fail_posts(session, [post], S.RELEASING, claim=MINE, track_at=SOON)
    failed = rows.post(post)
    assert (failed.state, failed.track_at) == (S.FAILED, SOON)
    told = (failed.error_code, failed.error_message, failed.error_hint)
    assert told == ("outcome_unknown", "Nobody knows.", "Look.")
    assert failed.error_at is not None
    assert rows.timeline(post) == [("failed", "Nobody knows.")]


@pytest.mark.parametrize(("discard", "state"), [(False, "buried"), (True, "discarded")])
def test_an_id_is_buried_once(rows: Rows, discard: bool, state: str) -> None:
    first, second = rows.posts(S.STAGED, 2)
    with rows.database.transaction() as session:
        transitions.retire_handovers(session, [first], "of the test", discard=discard)
    buried = rows.handover(first)
    assert (buried.state, buried.buried_why) == (state, "of the test")
    with rows.database.transaction() as session:
        transitions.retire_handovers(session, [first], "again", discard=not discard)
    assert rows.handover(first).buried_why == "of the test"
    assert rows.handover(second).buried_at is None


# The account's lease


def claimed(rows: Rows, *, parking: bool = False) -> int | None:
    with rows.database.transaction() as session:
        account = leases.claim_account(session, rows.account_id, lease_seconds=40, parking=parking)
        return account.claim if account else None


def test_an_account_is_leased_to_one_at_a_time(rows: Rows) -> None:
    first = claimed(rows)
    assert first is not None
    assert claimed(rows) is None
    rows.change_account(lease_until=LAPSED)
    second = claimed(rows)
    assert second not in (None, first)


LAPSED = datetime.now(UTC) - timedelta(seconds=1)


def test_a_paused_account_is_claimed_for_parking_alone(rows: Rows) -> None:
    rows.change_account(paused=True)
    assert claimed(rows) is None
    assert claimed(rows, parking=True) is not None


def test_a_resting_account_is_not_claimed_at_all(rows: Rows) -> None:
    rows.change_account(retry_at=SOON)
    assert claimed(rows) is None
    assert claimed(rows, parking=True) is None
    rows.change_account(retry_at=LAPSED)
    assert claimed(rows) is not None


def test_whoever_lost_the_lease_does_not_end_the_next_ones(rows: Rows) -> None:
    with rows.database.transaction() as session:
        mine = leases.claim_account(session, rows.account_id, lease_seconds=40)
        assert mine is not None
    rows.change_account(lease_until=LAPSED)
    theirs = claimed(rows)
    with rows.database.transaction() as session:
        leases.end_lease(session, mine)
    assert rows.account().lease_until is not None
    assert rows.account().claim == theirs


# What a call costs


def test_a_call_is_reserved_until_none_is_left(rows: Rows) -> None:
    rows.change_account(budget_limit=5, budget_used=3, window_ends_at=SOON)
    with rows.database.transaction() as session:
        account = leases.claim_account(session, rows.account_id, lease_seconds=40)
        assert account is not None
        assert leases.reserve_call(session, account, due_at=None)
        assert leases.reserve_call(session, account, due_at=None)
        assert not leases.reserve_call(session, account, due_at=None)
    after = rows.account()
    assert (after.budget_used, after.window_ends_at) == (5, SOON)
    assert after.plan_at is not None


def fail_call(rows: Rows, error: Transient | OutcomeUnknown | PostRejected) -> None:
    with rows.database.transaction() as session:
        account = leases.claim_account(session, rows.account_id, lease_seconds=40)
        assert account is not None
        assert leases.reserve_call(session, account, due_at=None)
    with rows.database.transaction() as session:
        leases.fail_call(session, rows.credentials, error)


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (Transient("refused connection"), 0),
        (OutcomeUnknown("no answer"), 1),
        (PostRejected("a 400 counts"), 1),
        (RateLimited("a 429 may count towards the next window", until=SOON), 1),
    ],
)
def test_only_what_postiz_certainly_did_not_count_is_returned(
    rows: Rows, error: Transient | OutcomeUnknown | PostRejected, charged: int
) -> None:
    rows.change_account(budget_used=2, window_ends_at=SOON)
    fail_call(rows, error)
    after = rows.account()
    assert (after.budget_used, after.lease_until) == (2 + charged, None)


def test_a_failure_that_told_the_budget_leaves_it_as_told(rows: Rows) -> None:
    told = PostRejected("a 400 with headers")
    told.budget = Budget(limit=30, remaining=20, resets_at=SOON)
    fail_call(rows, told)
    after = rows.account()
    assert (after.budget_limit, after.budget_used) == (30, 10)


def test_an_account_rests_after_a_failure_and_is_well_after_an_answer(rows: Rows) -> None:
    for _ in range(3):
        rows.change_account(retry_at=None, lease_until=None)
        fail_call(rows, Transient("away"))
    sick = rows.account()
    assert (sick.failures, sick.healthy) == (3, False)
    assert sick.retry_at is not None
    with rows.database.transaction() as session:
        leases.record_answer(session, rows.account_id)
    well = rows.account()
    assert (well.failures, well.healthy, well.retry_at) == (0, True, None)


# The release


def claim_release(runtime: Runtime, rows: Rows) -> Release | None:
    due = [
        turn
        for turn in server_turns.find_releasable(runtime)[0]
        if turn.account_id == rows.account_id
    ]
    return releases.claim_first(runtime, due[0]) if due else None


def require_allowed(runtime: Runtime, rows: Rows, claimed: Release) -> None:
    releases.require_allowed(runtime, claimed, f"{rows.server}/public/v1")


def test_a_draft_is_released_by_one(runtime: Runtime, rows: Rows) -> None:
    [post] = rows.posts(S.STAGED)
    one = claim_release(runtime, rows)
    assert one is not None
    released = rows.post(post)
    assert (released.state, released.attempts) == (S.RELEASING, 1)
    assert released.claim == one.claim
    assert released.lease_until is not None
    assert rows.handover(post).released_at is not None
    assert claim_release(runtime, rows) is None


def test_an_id_is_never_released_a_second_time(runtime: Runtime, rows: Rows) -> None:
    [post] = rows.posts(S.STAGED)
    assert claim_release(runtime, rows) is not None
    rows.change_posts([post], state=S.STAGED, release_at=LAPSED, lease_until=None)
    deadline = time.monotonic() + 60
    while (waits := rows.post(post)).error_code is None:  # its server has a pace
        assert time.monotonic() < deadline
        assert claim_release(runtime, rows) is None
    assert (waits.state, waits.error_code) == (S.STAGED, "internal_error")


@pytest.mark.parametrize(
    "values",
    [{"claim": ANOTHERS}, {"lease_until": LAPSED}, {"state": S.SCHEDULED}],
    ids=["another claim", "the lease is over", "settled"],
)
def test_the_last_question_needs_claim_and_lease(
    runtime: Runtime, rows: Rows, values: dict[str, object]
) -> None:
    [post] = rows.posts(S.STAGED)
    one = claim_release(runtime, rows)
    assert one is not None
    require_allowed(runtime, rows, one)
    rows.change_posts([post], **values)
    with pytest.raises(ClaimLost):
        require_allowed(runtime, rows, one)


def test_the_last_question_sees_a_pause(runtime: Runtime, rows: Rows) -> None:
    rows.posts(S.STAGED)
    one = claim_release(runtime, rows)
    assert one is not None
    rows.change_account(paused=True)
    with pytest.raises(Paused):
        require_allowed(runtime, rows, one)


def test_what_certainly_never_left_is_staged_as_before(runtime: Runtime, rows: Rows) -> None:
    [post] = rows.posts(S.STAGED)
    one = claim_release(runtime, rows)
    assert one is not None
    release._undo_unsent_release(runtime, one, Transient("refused"))
    back, handover = rows.post(post), rows.handover(post)
    assert (back.state, back.attempts, back.released_at) == (S.STAGED, 0, None)
    assert (handover.state, handover.released_at) == ("staged", None)
    assert rows.timeline(post)[-1] == ("release_delayed", "refused")


def test_whoever_lost_the_claim_takes_no_release_back(runtime: Runtime, rows: Rows) -> None:
    [post] = rows.posts(S.STAGED)
    one = claim_release(runtime, rows)
    assert one is not None
    rows.change_posts([post], claim=ANOTHERS)
    with pytest.raises(ClaimLost):
        release._undo_unsent_release(runtime, one, Transient("refused"))
    assert rows.post(post).state == S.RELEASING
    assert rows.handover(post).released_at is not None


@pytest.mark.parametrize("claim", [MINE, ANOTHERS])
def test_an_unclear_release_is_looked_at_by_whoever_has_the_claim(
    runtime: Runtime, rows: Rows, claim: int
) -> None:
    [post] = rows.posts(S.STAGED)
    one = claim_release(runtime, rows)
    assert one is not None
    rows.change_posts([post], lease_until=SOON, **({"claim": claim} if claim == ANOTHERS else {}))
    release._record_unclear_release(runtime, one, OutcomeUnknown("no answer"))
    left = rows.post(post)
    assert left.state == S.RELEASING
    assert (left.lease_until == SOON) is (claim == ANOTHERS)
    assert rows.timeline(post)[-1] == ("release_unknown", "no answer")


# The look at what became of it


def looked_at(runtime: Runtime, rows: Rows) -> remote_posts.Subject:
    due = [Post.state == S.RELEASING]
    [subject] = remote_posts.claim_subjects(
        runtime, rows.account_id, due, lease_column="lease_until"
    )
    return subject


def remote(rows: Rows, post: int, state: str) -> RemotePost:
    return RemotePost(
        id=f"postiz-{post}",
        state=state,
        publish_at=rows.handover(post).marker_at,
        content="text",
        integration_id=rows.integration_id,
        release_url=None,
    )


def test_a_look_keeps_the_others_away(runtime: Runtime, rows: Rows) -> None:
    [post] = rows.posts(S.RELEASING, lease_until=LAPSED)
    subject = looked_at(runtime, rows)
    assert rows.post(post).claim == subject.claim
    due = [Post.state == S.RELEASING, Post.lease_until <= LAPSED]
    assert (
        remote_posts.claim_subjects(runtime, rows.account_id, due, lease_column="lease_until") == []
    )


def test_what_was_seen_counts_only_under_the_claim(runtime: Runtime, rows: Rows) -> None:
    [post] = rows.posts(S.RELEASING)
    stale = looked_at(runtime, rows)
    newer = looked_at(runtime, rows)
    seen = remote(rows, post, "QUEUE")
    with rows.database.transaction() as session:
        now = db.read_clock(session)
        step = reconcile._choose_step(runtime, stale, seen, now)
        with pytest.raises(ClaimLost):
            reconcile._record_step(session, stale, step, now)
        session.rollback()
    assert rows.post(post).state == S.RELEASING
    with rows.database.transaction() as session:
        reconcile._record_step(session, newer, step, now)
    scheduled = rows.post(post)
    assert (scheduled.state, scheduled.attempts) == (S.SCHEDULED, 0)
    assert scheduled.track_at is not None


def test_a_handovers_state_is_noted_only_under_the_claim(runtime: Runtime, rows: Rows) -> None:
    [post] = rows.posts(S.RELEASING)
    stale = looked_at(runtime, rows)
    newer = looked_at(runtime, rows)
    with pytest.raises(ClaimLost), rows.database.transaction() as session:
        reconcile._note_delete(session, stale)
    assert rows.handover(post).state == "releasing"
    with rows.database.transaction() as session:
        reconcile._note_delete(session, newer)
    assert rows.handover(post).state == "deleting"


def test_a_look_put_off_by_whoever_lost_the_claim_is_not_put_off(
    runtime: Runtime, rows: Rows
) -> None:
    [post] = rows.posts(S.RELEASING)
    stale = looked_at(runtime, rows)
    looked_at(runtime, rows)
    before = rows.post(post).lease_until
    with rows.database.transaction() as session:
        remote_posts.requeue_subjects(session, [stale], timedelta(hours=5))
    assert rows.post(post).lease_until == before
