"""Release: sends the one status change of a draft, and records how the call ended."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import func, tuple_, update
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from shared import failpoints
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, OutcomeUnknown, PostRejected, PressroomError
from shared.models import Handover, Post
from shared.posts import transitions
from shared.profiles.publisher_cache import Publisher
from worker.accounts import leases, postiz_call
from worker.accounts.error_policy import Defective, RetryLater, Unknown, decide_action
from worker.releasing.claims import Release
from worker.releasing.last_check import LastCheck, ReleaseCheck
from worker.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How a call ended. `error`: None if Postiz answered 200.

    `began`: on the monotonic clock. `seconds`: how long the call took.
    """

    release: Release
    error: PressroomError | None
    began: float
    seconds: float


def send_release(runtime: Runtime, last_check: LastCheck, release: Release) -> Answer:
    """Send the status change, when its server allows it; records nothing."""
    time.sleep(max(0.0, release.not_before - time.monotonic()))
    credentials = release.credentials
    began = time.monotonic()
    error: PressroomError | None = None
    with bound_contextvars(
        account=credentials.account_id, profile=credentials.profile_id, post=release.post_id
    ):
        failpoints.hit("release.before_call")
        try:
            _send_status_change(runtime, last_check, release)
        except PressroomError as raised:
            error = raised
    return Answer(release=release, error=error, began=began, seconds=time.monotonic() - began)


def _send_status_change(runtime: Runtime, last_check: LastCheck, release: Release) -> None:
    def send(publisher: Publisher) -> int:
        check = ReleaseCheck(
            post_id=release.post_id,
            claim=release.claim,
            version=publisher.version,
            base_url=publisher.postiz.base_url,
        )
        return publisher.postiz.release(
            release.postiz_id, last_check=lambda: last_check.require_allowed(check)
        )

    postiz_call.make_checked_call(runtime, release.credentials, send)


class AnswerRecorder:
    """Records how calls ended; reconcile.py reads the outcomes, and may do so at once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        #: By account: when its last failure was recorded (monotonic)
        self._failed_at: dict[int, float] = {}

    def close(self) -> None:
        pass

    def record(self, answers: Sequence[Answer]) -> None:
        sent = [answer.release for answer in answers if answer.error is None]
        if sent:
            _record_sent(self._runtime, sent)
        for answer in answers:
            if answer.error is not None:
                with suppress(ClaimLost):  # another worker continues with it
                    self._record_error(answer, answer.error)

    def _record_error(self, answer: Answer, error: PressroomError) -> None:
        record: Callable[..., None]
        match error:
            case ClaimLost():
                return  # our lease ended: another worker reconciles the post now
            case OutcomeUnknown() | PostRejected():
                failpoints.hit("release.after_unclear")
                record = _record_unclear_release
            case _:
                failpoints.hit("release.after_error")
                record = _undo_unsent_release
        record(self._runtime, answer.release, error, counts=self._is_new_failure(answer, error))

    def _is_new_failure(self, answer: Answer, error: PressroomError) -> bool:
        """False for a call that was under way when its account failed already: many calls that meet
        one outage are one failure, so that the account does not wait longer for having many."""
        if not isinstance(decide_action(error), RetryLater | Unknown | Defective):
            return True
        account_id = answer.release.credentials.account_id
        is_new = answer.began >= self._failed_at.get(account_id, 0.0)
        if is_new:
            self._failed_at[account_id] = time.monotonic()
        return is_new


def _record_sent(runtime: Runtime, releases: Sequence[Release]) -> None:
    failpoints.hit("release.after_call")
    with runtime.database.transaction() as session:
        leases.record_answers(session, {release.credentials.account_id for release in releases})
        _record_replies(session, releases, 200)
    failpoints.hit("release.after_commit")


def _record_replies(session: Session, releases: Sequence[Release], status: int) -> None:
    """The posts are due to be read; those that are not ours any more are left as they are."""
    handover_ids = [release.handover_id for release in releases]
    replied = update(Handover).where(Handover.id.in_(handover_ids)).values(release_status=status)
    session.execute(replied, execution_options={"synchronize_session": False})
    claimed = [(release.post_id, release.claim) for release in releases]
    due = update(Post).where(tuple_(Post.id, Post.claim).in_(claimed))
    session.execute(
        due.values(lease_until=func.now()), execution_options={"synchronize_session": False}
    )


def _record_unclear_release(
    runtime: Runtime, release: Release, error: PressroomError, *, counts: bool = True
) -> None:
    """The post may be scheduled, or unknown to Postiz: only reading it shows the outcome.

    `counts`: whether it is a failure of its account, too.
    """
    with runtime.database.transaction() as session:
        if counts:
            leases.record_failure(session, release.credentials, error)
        transitions.add_events(session, [release.post_id], "release_unknown", error.message)
        _record_replies(session, [release], 0)


def _undo_unsent_release(
    runtime: Runtime, release: Release, error: PressroomError, *, counts: bool = True
) -> None:
    """The status change was certainly not sent: the draft is unchanged and is released later.

    `counts`: whether it is a failure of its account, too.
    """
    with runtime.database.transaction() as session:
        if counts:
            leases.record_failure(session, release.credentials, error)
        session.execute(
            update(Handover)
            .where(Handover.id == release.handover_id)
            .values(released_at=None, state="staged")
        )
        transitions.move_posts(
            session,
            [release.post_id],
            PostState.RELEASING,
            PostState.STAGED,
            event="release_delayed",
            detail=error.message,
            claim=release.claim,
            values={"attempts": Post.attempts - 1, "released_at": None},
        )
