"""Webhooks: which events there are, and what an attempt to deliver one means for the next."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from shared.domain.publishing.states import PostState

POST_SCHEDULED = "post.scheduled"
POST_PUBLISHED = "post.published"
POST_FAILED = "post.failed"
JOB_COMPLETED = "job.completed"
ACCOUNT_BLOCKED = "account.blocked"
CREDENTIALS_REJECTED = "credentials.rejected"
EVENTS = (
    POST_SCHEDULED,
    POST_PUBLISHED,
    POST_FAILED,
    JOB_COMPLETED,
    ACCOUNT_BLOCKED,
    CREDENTIALS_REJECTED,
)

#: Seconds from each failed attempt to the next (Standard Webhooks 1.0, "Deliverability and
#: reliability"): ten attempts in a little over three days.
WAITS = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
MAX_ATTEMPTS = len(WAITS) + 1
#: More of a wait, by chance, so that what failed together is not tried again together.
JITTER = 0.1
#: A receiver that let every attempt fail for so long is given up. Less than all of `WAITS`: a
#: single event suffices to find it out.
PATIENCE = timedelta(days=3)
#: How long a receiver rests at most that does not answer, or says that it is overloaded (seconds).
LONGEST_REST = 60.0
#: A receiver's own wish is respected up to a day.
LONGEST_WISH = 86400.0
_OVERLOADED = frozenset({429, 502, 503, 504})
_SAYS_WHEN = frozenset({429, 503})

_OF_STATE = {
    PostState.SCHEDULED: POST_SCHEDULED,
    PostState.PUBLISHED: POST_PUBLISHED,
    PostState.FAILED: POST_FAILED,
}


def event_of(source: PostState, target: PostState) -> str | None:
    """What is told of a post that moved. A cancel that came too late changes nothing to tell."""
    if (source, target) == (PostState.CANCELLING, PostState.SCHEDULED):
        return None
    return _OF_STATE.get(target)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one attempt. `status`: None where there was no answer, and `error` says why.

    `retry_after`: the seconds that the receiver asked us to wait.
    """

    status: int | None = None
    error: str | None = None
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def outcome(self) -> str:
        """In a word, for the figures."""
        if self.status is None:
            return "unanswered"
        return "accepted" if self.accepted else "refused"

    def in_words(self) -> str:
        return self.error or f"it answered {self.status}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`wait`: seconds until the delivery is tried again, None for never. `rest`: seconds in which
    the webhook gets nothing at all. `disable`: why it is to get nothing until a person says so."""

    state: Literal["delivered", "pending", "failed"]
    wait: float | None = None
    rest: float = 0.0
    disable: str | None = None


def judge_attempt(
    answer: Answer,
    *,
    attempt: int,
    failures: int,
    failing_for: timedelta,
    rng: random.Random | None = None,
) -> Verdict:
    """`attempt`: the number of this one. `failures`: of the webhook in a row, this one included;
    `failing_for`: how long."""
    if answer.accepted:
        return Verdict(state="delivered")
    if answer.status == 410:
        return Verdict(state="failed", disable="the receiver answered 410 Gone")
    wish = min(answer.retry_after or 0.0, LONGEST_WISH) if answer.status in _SAYS_WHEN else 0.0
    wait = _wait_seconds(attempt, wish, rng or random.Random())  # noqa: S311 (spreads load, no secret)
    given_up = failing_for >= PATIENCE
    return Verdict(
        state="failed" if wait is None else "pending",
        wait=wait,
        rest=_rest_seconds(answer, failures, wish),
        disable=f"every attempt failed for {PATIENCE.days} days, the last one because "
        f"{answer.in_words()}"
        if given_up
        else None,
    )


def _wait_seconds(attempt: int, wish: float, rng: random.Random) -> float | None:
    if attempt > len(WAITS):
        return None
    return max(wish, WAITS[attempt - 1] * rng.uniform(1.0, 1.0 + JITTER))


def _rest_seconds(answer: Answer, failures: int, wish: float) -> float:
    """An answer that came at once and says no costs nobody time; others may fare better."""
    if answer.status is not None and answer.status not in _OVERLOADED:
        return 0.0
    return max(wish, min(LONGEST_REST, 2.0 ** min(failures - 1, 16)))
