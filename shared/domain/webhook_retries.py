"""Webhooks: which events exist, and what a delivery attempt means for the next one."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from shared.domain.publishing.states import PostState

POST_SCHEDULED = "post.scheduled"
POST_PUBLISHED = "post.published"
POST_FAILED = "post.failed"
APPROVAL_REQUESTED = "post.approval_requested"
POST_APPROVED = "post.approved"
POST_REJECTED = "post.rejected"
JOB_COMPLETED = "job.completed"
ACCOUNT_BLOCKED = "account.blocked"
CREDENTIALS_REJECTED = "credentials.rejected"
SERVER_STALLED = "server.stalled"
SERVER_RECOVERED = "server.recovered"
CHANNEL_NOT_READY = "channel.not_ready"
CHANNEL_READY = "channel.ready"
#: Sent when a person asks for it, whatever events a webhook gets.
WEBHOOK_TEST = "webhook.test"
EVENTS = (
    POST_SCHEDULED,
    POST_PUBLISHED,
    POST_FAILED,
    APPROVAL_REQUESTED,
    POST_APPROVED,
    POST_REJECTED,
    JOB_COMPLETED,
    ACCOUNT_BLOCKED,
    CREDENTIALS_REJECTED,
    SERVER_STALLED,
    SERVER_RECOVERED,
    CHANNEL_NOT_READY,
    CHANNEL_READY,
)

#: Seconds from each failed attempt to the next (Standard Webhooks 1.0, "Deliverability and
#: reliability"): ten attempts in a little over three days.
WAITS = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
MAX_ATTEMPTS = len(WAITS) + 1
#: The random part added to a wait, so that deliveries that failed together do not retry together.
JITTER = 0.1
#: A receiver that fails every attempt for this long is given up. It is less than all of `WAITS`
#: together, so a single event is enough to find it out.
PATIENCE = timedelta(days=3)
#: The longest rest of a receiver that does not answer, or says that it is overloaded (seconds).
LONGEST_REST = 60.0
#: The longest wait that a receiver may ask for (seconds).
LONGEST_WISH = 86400.0
_OVERLOADED = frozenset({429, 502, 503, 504})
_SAYS_WHEN = frozenset({429, 503})

_OF_STATE = {
    PostState.SCHEDULED: POST_SCHEDULED,
    PostState.PUBLISHED: POST_PUBLISHED,
    PostState.FAILED: POST_FAILED,
    PostState.WAITING_APPROVAL: APPROVAL_REQUESTED,
}


def event_of(source: PostState, target: PostState) -> str | None:
    """The event for a post that moved, or None. It is none that a post could not be taken back."""
    taken_back = (PostState.CANCELLING, PostState.RESCHEDULING)
    if source in taken_back and target is PostState.SCHEDULED:
        return None
    if source is PostState.WAITING_APPROVAL and target is PostState.PENDING:
        return POST_APPROVED
    return _OF_STATE.get(target)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The result of one attempt. `status` is None if there was no answer; `error` then says why.

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
        """One word, for the metrics."""
        if self.status is None:
            return "unanswered"
        return "accepted" if self.accepted else "refused"

    def in_words(self) -> str:
        return self.error or f"it answered {self.status}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What follows from an attempt.

    `wait`: seconds until the next try, None for never. `rest`: seconds in which the webhook gets
    nothing at all. `disable`: why it gets nothing until a person enables it again.
    """

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
    """`attempt`: its number, from 1. `failures`: how many of the webhook in a row, with this one.

    `failing_for`: how long they have lasted.
    """
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
    """None after a quick refusal: it costs no time, and other events may succeed."""
    if answer.status is not None and answer.status not in _OVERLOADED:
        return 0.0
    return max(wish, min(LONGEST_REST, 2.0 ** min(failures - 1, 16)))
