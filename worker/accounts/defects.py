"""Defects: after an unexpected error the work waits, longer each time, and finally fails.

The error is logged with its traceback and counted (shared/containment.py). If one post caused it,
only this post waits; if the post is not known, the account waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

from sqlalchemy import func
from sqlalchemy.orm import Session

from shared.containment import contain_failures
from shared.db import ROW_LOCK
from shared.domain.publishing.retry_limits import UNFORESEEN
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, Defect, OutcomeUnknown, PressroomError
from shared.models import Post
from shared.posts import transitions
from worker.accounts import leases
from worker.runtime import Runtime

_HINT = "Whoever runs Pressroom finds the whole of it in the worker's log."
#: States of posts that may be published, and so are left to a person.
_IN_POSTIZ = (
    PostState.RELEASING,
    PostState.SCHEDULED,
    PostState.CANCELLING,
    PostState.RESCHEDULING,
)
#: By state: the column that delays the next attempt.
_DELAY_COLUMNS = {
    PostState.PENDING: "next_at",
    PostState.STAGED: "next_at",
    PostState.RELEASING: "lease_until",
    PostState.CANCELLING: "lease_until",
    PostState.RESCHEDULING: "lease_until",
    PostState.SCHEDULED: "track_at",
    PostState.FAILED: "track_at",
}


def describe_error(error: BaseException) -> str:
    """Only the class: the error's text may contain details that belong into the log alone."""
    return f"an error of Pressroom's own: {type(error).__name__}"


@contextmanager
def translate_defects(where: str, *, sent: bool) -> Iterator[None]:
    """Turns an unexpected error into a `PressroomError`, for which a decision exists.

    `sent`: whether something may have reached Postiz; then the error is `OutcomeUnknown`.
    """
    with contain_failures(where, but=(PressroomError,)) as fate:
        yield
    if fate.error is not None:
        description = describe_error(fate.error)
        if sent:
            raise OutcomeUnknown(description, code=Defect.code) from fate.error
        raise Defect(description) from fate.error


def is_defect(error: PressroomError) -> bool:
    return error.code == Defect.code


def for_account(
    where: str,
) -> Callable[[Callable[[Runtime, int], None]], Callable[[Runtime, int], None]]:
    """Decorates a step of one account's work: an unexpected error makes only this account wait.

    `where`: the step's name in logs and metrics.
    """

    def decorate(step: Callable[[Runtime, int], None]) -> Callable[[Runtime, int], None]:
        @wraps(step)
        def run_step(runtime: Runtime, account_id: int) -> None:
            with contain_failures(where, but=(ClaimLost,), account=account_id) as fate:
                step(runtime, account_id)
            if fate.failed:
                rest_account(runtime, account_id)

        return run_step

    return decorate


def rest_account(runtime: Runtime, account_id: int) -> None:
    with runtime.database.transaction() as session:
        leases.rest_account(session, account_id)


@contextmanager
def for_post(
    runtime: Runtime, where: str, post_id: int, *, claim: int | None = None
) -> Iterator[None]:
    """One post's part of a step: an unexpected error makes only this post wait."""
    with contain_failures(where, but=(ClaimLost,), post=post_id) as fate:
        yield
    if fate.error is not None:
        with runtime.database.transaction() as session:
            blame_post(session, post_id, describe_error(fate.error), claim=claim)


def blame_post(
    session: Session, post_id: int, description: str, *, claim: int | None = None
) -> None:
    """Delay the post's next attempt; after too many, mark it as failed.

    With `claim`, only if the post is still under it.
    """
    post = session.get(Post, post_id, with_for_update=ROW_LOCK, populate_existing=True)
    if post is None or (claim is not None and post.claim != claim):
        return
    state = PostState(post.state)
    pause = UNFORESEEN.pause(post.attempts + 1)
    if state not in _DELAY_COLUMNS:
        return
    if pause is None:
        _end_post(session, post, state, description)
        return
    post.attempts += 1
    setattr(post, _DELAY_COLUMNS[state], func.now() + pause)
    if state is not PostState.FAILED:
        post.error_code, post.error_message, post.error_hint = Defect.code, description, _HINT
    transitions.add_events(session, [post_id], Defect.code, description)
    session.flush()


def _end_post(session: Session, post: Post, state: PostState, description: str) -> None:
    """Mark it as failed; its draft is deleted later, and a post that may be live needs a person."""
    if state is PostState.FAILED:
        post.track_at = None
        session.flush()
        return
    if state is PostState.STAGED:
        transitions.retire_handovers(session, [post.id], description, discard=True)
    unclear = state in _IN_POSTIZ
    transitions.fail_posts(
        session,
        [post.id],
        state,
        code=OutcomeUnknown.code if unclear else Defect.code,
        message=f"given up after {UNFORESEEN.most} tries: {description}",
        hint=f"It may have been published: look at the channel. {_HINT}" if unclear else _HINT,
    )
