"""What may become of a post, in sentences; and the state of a job from its posts."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publishing.states import (
    DONE,
    TRANSITIONS,
    JobState,
    PostState,
    check_transition,
    job_state,
)
from shared.errors import IllegalTransition

STATES = st.sampled_from(list(PostState))
S = PostState


def leads_to(target: PostState) -> set[PostState]:
    """The states that `target` may follow, by what the check lets pass."""
    return {source for source in PostState if _passes(source, target)}


def follows(source: PostState) -> set[PostState]:
    return {target for target in PostState if _passes(source, target)}


def _passes(source: PostState, target: PostState) -> bool:
    try:
        check_transition(source, target)
    except IllegalTransition as error:
        assert f"{source} cannot become {target}" in str(error)
        return False
    return True


def reachable(start: PostState, *, without: Iterable[PostState] = ()) -> set[PostState]:
    """What a post may come to from `start`, without ever being in one of `without`."""
    found, new = {start}, {start}
    while new:
        new = {target for state in new for target in follows(state)} - found - set(without)
        found |= new
    return found


def test_a_post_begins_as_pending_and_may_come_to_any_state() -> None:
    assert reachable(S.PENDING) == set(PostState)


def test_nothing_comes_after_published_and_only_a_retry_after_cancelled() -> None:
    assert follows(S.PUBLISHED) == set()
    assert follows(S.CANCELLED) == {S.PENDING}


def test_every_other_state_has_a_way_to_an_end() -> None:
    ends = {S.PUBLISHED, S.FAILED, S.CANCELLED}  # of which a person may retry the last two
    for state in set(PostState) - ends:
        assert reachable(state) & ends, state


def test_no_state_follows_itself() -> None:
    assert [state for state in PostState if state in follows(state)] == []


def test_what_goes_to_a_network_was_staged_and_released() -> None:
    """There is no way to `published` around the draft, nor around the one status change, but for
    what somebody scheduled in Postiz while we took it back."""
    assert leads_to(S.RELEASING) == {S.STAGED, S.SCHEDULED}  # the latter to be settled
    assert leads_to(S.STAGED) == {S.STAGING, S.RELEASING}
    assert S.PUBLISHED not in reachable(S.PENDING, without=[S.STAGING, S.FAILED])
    taken_back = [S.CANCELLING, S.RESCHEDULING]
    assert S.PUBLISHED not in reachable(S.PENDING, without=[S.RELEASING, *taken_back, S.FAILED])
    assert S.RESCHEDULING not in reachable(S.PENDING, without=[S.SCHEDULED, S.DRAFT])


def test_only_what_was_handed_over_or_given_up_turns_out_published() -> None:
    """A cancel or an edit that came too late goes back to `scheduled`, where it is followed."""
    assert leads_to(S.PUBLISHED) == {S.SCHEDULED, S.FAILED}
    assert leads_to(S.SCHEDULED) == {S.RELEASING, S.CANCELLING, S.RESCHEDULING}


def test_what_was_handed_over_is_staged_anew_only_by_settling_or_by_a_person() -> None:
    """`releasing` goes back once its draft is parked and deleted; to be settled is also what is
    overdue, and `failed` and `cancelled` start anew, on a person's word. What is edited goes back
    once it is gone from Postiz."""
    unreleased = {S.STAGING, S.STAGED, S.HELD, S.WAITING_APPROVAL}
    retried = {S.FAILED, S.CANCELLED}
    assert leads_to(S.PENDING) == {*unreleased, *retried, S.RELEASING, S.RESCHEDULING}
    by_settling_or_a_person = [S.FAILED, S.RELEASING, S.CANCELLED, S.RESCHEDULING]
    assert reachable(S.SCHEDULED, without=by_settling_or_a_person) == {
        S.SCHEDULED,
        S.PUBLISHED,
        S.CANCELLING,
    }


def test_what_may_be_in_postiz_is_cancelled_only_by_deleting_it_there() -> None:
    assert leads_to(S.CANCELLED) == {S.PENDING, S.WAITING_APPROVAL, S.HELD, S.CANCELLING}
    assert leads_to(S.CANCELLING) == {
        S.STAGING,
        S.STAGED,
        S.SCHEDULED,
        S.DRAFT,
        S.RESCHEDULING,
    }


def test_what_is_being_taken_back_is_never_sent_by_us_any_more() -> None:
    assert follows(S.CANCELLING) == {S.CANCELLED, S.SCHEDULED, S.FAILED}
    assert follows(S.RESCHEDULING) == {S.PENDING, S.SCHEDULED, S.FAILED, S.CANCELLING}


def test_a_users_draft_is_never_released() -> None:
    assert leads_to(S.DRAFT) == {S.STAGING}
    assert follows(S.DRAFT) == {S.CANCELLING, S.RESCHEDULING}  # taken back, or edited


def test_what_is_late_is_held_out_of_postiz_until_a_person_says_what_becomes_of_it() -> None:
    assert leads_to(S.HELD) == {S.PENDING, S.WAITING_APPROVAL, S.STAGED}
    assert follows(S.HELD) == {S.PENDING, S.CANCELLED}


def test_what_waits_for_approval_comes_to_postiz_only_by_way_of_pending() -> None:
    """Whatever becomes pending unapproved goes on to wait: see shared/posts/approval.py."""
    assert follows(S.WAITING_APPROVAL) == {S.PENDING, S.HELD, S.FAILED, S.CANCELLED}
    assert leads_to(S.WAITING_APPROVAL) == {S.PENDING}
    in_postiz = {S.STAGING, S.STAGED, S.RELEASING, S.SCHEDULED, S.DRAFT}
    assert not in_postiz & reachable(S.WAITING_APPROVAL, without=[S.PENDING])


def test_whatever_is_not_over_and_waits_for_no_person_may_fail() -> None:
    unfinished = set(PostState) - {S.PUBLISHED, S.CANCELLED, S.FAILED, S.DRAFT, S.HELD}
    assert leads_to(S.FAILED) == unfinished


@given(STATES)
def test_the_table_says_no_more_than_the_check(source: PostState) -> None:
    assert follows(source) == TRANSITIONS[source]


@pytest.mark.parametrize(
    ("counts", "paused", "expected"),
    [
        ({"pending": 3}, False, JobState.QUEUED),
        ({"pending": 3}, True, JobState.PAUSED),
        ({"pending": 1, "published": 2}, False, JobState.RUNNING),
        ({"held": 1, "published": 2}, False, JobState.RUNNING),
        ({"held": 2}, False, JobState.RUNNING),
        ({"waiting_approval": 2}, False, JobState.RUNNING),
        ({"waiting_approval": 2}, True, JobState.PAUSED),
        ({"waiting_approval": 1, "published": 2}, False, JobState.RUNNING),
        ({"published": 2, "scheduled": 1}, False, JobState.COMPLETED),
        ({"published": 2, "scheduled": 1}, True, JobState.COMPLETED),
        ({"published": 1, "failed": 1}, False, JobState.COMPLETED_WITH_ERRORS),
        ({"failed": 2}, False, JobState.FAILED),
        ({"cancelled": 2}, False, JobState.CANCELLED),
        ({"cancelled": 1, "published": 1}, False, JobState.COMPLETED),
        ({"draft": 1}, False, JobState.COMPLETED),
        ({"uploaded": 2}, False, JobState.COMPLETED),
        ({"uploaded": 1, "uploading": 1}, False, JobState.RUNNING),
        ({"failed": 1, "uploaded": 1}, False, JobState.COMPLETED_WITH_ERRORS),
    ],
)
def test_the_state_of_a_job(counts: dict[str, int], paused: bool, expected: JobState) -> None:
    assert job_state(counts, paused=paused) is expected


@given(st.dictionaries(STATES, st.integers(1, 5), min_size=1), st.booleans())
def test_a_job_is_over_exactly_when_each_of_its_posts_is(
    counts: dict[PostState, int], paused: bool
) -> None:
    over = job_state({str(k): v for k, v in counts.items()}, paused=paused) not in {
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.PAUSED,
    }
    assert over == (set(counts) <= DONE)
