"""The table of legal transitions, and the state of a job from its posts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.states import DONE, TRANSITIONS, JobState, PostState, check_transition, job_state
from shared.errors import IllegalTransition

STATES = st.sampled_from(list(PostState))


def test_every_state_is_in_the_table_and_each_but_pending_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(PostState)
    reached = set().union(*TRANSITIONS.values())
    assert reached == set(PostState)


@given(STATES, STATES)
def test_what_the_table_does_not_allow_raises(source: PostState, target: PostState) -> None:
    if target in TRANSITIONS[source]:
        check_transition(source, target)
    else:
        with pytest.raises(IllegalTransition, match=f"{source} cannot become {target}"):
            check_transition(source, target)


def test_a_published_post_goes_nowhere_and_a_failed_one_may_turn_out_published() -> None:
    assert TRANSITIONS[PostState.PUBLISHED] == frozenset()
    check_transition(PostState.FAILED, PostState.PUBLISHED)


def test_nothing_that_was_handed_over_can_be_staged_again() -> None:
    for state in (PostState.SCHEDULED, PostState.PUBLISHED):
        assert PostState.PENDING not in TRANSITIONS[state]
        assert PostState.STAGED not in TRANSITIONS[state]


@pytest.mark.parametrize(
    ("counts", "paused", "expected"),
    [
        ({"pending": 3}, False, JobState.QUEUED),
        ({"pending": 3}, True, JobState.PAUSED),
        ({"pending": 1, "published": 2}, False, JobState.RUNNING),
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
