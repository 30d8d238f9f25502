"""Stage: creates drafts of due posts in Postiz, many in one counted call."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from shared import failpoints, metrics
from shared.accounts import channel_states
from shared.db import ROW_LOCK
from shared.domain.networks.channel_states import SENTENCES, ChannelState
from shared.domain.publishing.staging_attempts import DEFECTIVE, NO_MOMENT, Patience
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, NoFreeMoment, PostRejected, PressroomError
from shared.models import Integration, Post, Submission
from shared.postiz.client import Created, Postiz
from shared.posts import transitions
from worker.accounts import leases, postiz_call
from worker.accounts.defects import for_account
from worker.accounts.error_policy import Defective, Refused, Unknown, decide_action
from worker.runtime import Runtime
from worker.staging import channel_watch, deferred_validation, draft_adoption
from worker.staging.staged_drafts import keep_drafts, requeue_counted, requeue_posts
from worker.staging.submissions import Call, check_before_send, free_marker, prepare_call

#: How long a child serves one account in one run (seconds).
SLICE_SECONDS = 1.0
#: Attempts to find a millisecond at which Postiz has no post of somebody else.
MARKER_TRIES = 5


@for_account("stage")
def stage_posts(runtime: Runtime, account_id: int) -> None:
    """Stage the account's due posts, for one time slice."""
    ends = time.monotonic() + SLICE_SECONDS
    draft_adoption.adopt_drafts(runtime, account_id)
    deferred_validation.check_waiting_posts(runtime, account_id)
    channel_watch.watch_channels(runtime, account_id)
    while call := prepare_call(runtime, account_id):
        _run_call(runtime, call)
        if time.monotonic() > ends:
            runtime.waker.stage(account_id)
            return


def _run_call(runtime: Runtime, call: Call) -> None:
    profile_id = call.credentials.profile_id
    with bound_contextvars(profile=profile_id, submission=call.submission_id):
        _send_call(runtime, call)


def _send_call(runtime: Runtime, call: Call) -> None:
    failpoints.hit("stage.before_call")
    try:
        created = postiz_call.make_checked_call(
            runtime,
            call.credentials,
            lambda publisher: publisher.postiz.stage(
                _find_empty_marker(runtime, call, publisher.postiz),
                call.elements,
                last_check=lambda: check_before_send(runtime, call, publisher),
            ),
        )
    except PressroomError as error:
        failpoints.hit("stage.after_error")
        _record_failure(runtime, call, error)
    else:
        failpoints.hit("stage.after_call")
        metrics.SUBMISSION.labels("stage").observe(len(call.elements))
        _record_drafts(runtime, call, created)
        failpoints.hit("stage.after_commit")


def _find_empty_marker(runtime: Runtime, call: Call, postiz: Postiz) -> datetime:
    """The call's millisecond, or another one, at which Postiz has no post yet.

    Raises `NoFreeMoment`.
    """
    marker_at = call.marker_at
    for _ in range(MARKER_TRIES):
        if not postiz.window(marker_at, marker_at):
            return marker_at
        with runtime.database.transaction() as session:
            submission = session.get_one(Submission, call.submission_id)
            second = marker_at.replace(microsecond=0)
            marker_at = free_marker(session, call.credentials.account_id, second)
            submission.marker_at = marker_at
    raise NoFreeMoment("no free millisecond was found in Postiz's calendar")


def _record_drafts(runtime: Runtime, call: Call, created: Created) -> None:
    """Record the ids: now each post has a draft in Postiz."""
    ids = dict(zip(call.post_ids, created.ids, strict=True))
    with runtime.database.transaction() as session:
        submission = _lock_open_submission(session, call)
        account = leases.record_success(session, call.credentials.account_id, created.budget)
        leases.end_lease(session, account)
        submission.state, submission.status = "staged", created.status
        submission.replied_at = func.clock_timestamp()
        keep_drafts(
            session,
            account,
            submission,
            ids,
            _exclude_ids(call.post_ids, _hand_over_cancelled(session, call, ids)),
            detail=f"in one call with {len(ids)} posts" if len(ids) > 1 else None,
            settle_seconds=runtime.settings.settle_seconds,
            as_draft=call.as_draft,
            claim=call.claim,
        )
    runtime.waker.release()


def _lock_open_submission(session: Session, call: Call) -> Submission:
    """The call's row, locked. Raises `ClaimLost` if another worker has taken the call over."""
    submission = session.get_one(Submission, call.submission_id, with_for_update=ROW_LOCK)
    if submission.state != "sending":
        raise ClaimLost(f"submission {call.submission_id} is {submission.state} by now")
    return submission


def _hand_over_cancelled(
    session: Session, call: Call, ids: Mapping[int, str] | None = None
) -> Collection[int]:
    """Posts that were cancelled during the call: saves their ids in Postiz and ends their lease, so
    that they are deleted. Returns these posts."""
    postiz_ids = {"postiz_post_id": case(dict(ids), value=Post.id)} if ids else {}
    return session.scalars(
        update(Post)
        .where(
            Post.id.in_(call.post_ids),
            Post.claim == call.claim,
            Post.state == PostState.CANCELLING,
        )
        .values({"lease_until": func.now(), **postiz_ids})
        .returning(Post.id)
        .execution_options(synchronize_session=False)
    ).all()


def _record_failure(runtime: Runtime, call: Call, error: PressroomError) -> None:
    """Make the posts pending again, or fail the one at fault; the others continue."""
    decision = decide_action(error)
    with runtime.database.transaction() as session:
        submission = _lock_open_submission(session, call)
        leases.fail_call(session, call.credentials, error)
        submission.state, submission.detail = "rejected", error.message
        rest = replace(
            call, post_ids=_exclude_ids(call.post_ids, _hand_over_cancelled(session, call))
        )
        match decision:
            case Refused() if gone := _find_gone_channel(session, call, error):
                _return_posts(session, rest, "staging_delayed", error.message)
                account_id, state = call.credentials.account_id, ChannelState.GONE
                channel_states.mark_not_ready(session, account_id, gone, state, SENTENCES[state])
            case Refused() as refusal:
                _handle_refusal(session, rest, error, refusal.find_offender(call.post_ids))
            case Defective():  # the post at fault is found by halving
                _return_posts_counted(session, rest, error, DEFECTIVE, pack=len(call.post_ids))
            case _ if isinstance(error, NoFreeMoment):  # concerns all posts of the call
                _return_posts_counted(session, rest, error, NO_MOMENT, pack=1)
            case Unknown():
                draft_adoption.mark_failed_call(session, runtime, submission, error)
            case _:
                _return_posts(session, rest, "staging_delayed", error.message)


def _find_gone_channel(session: Session, call: Call, error: PressroomError) -> str | None:
    """The channel of the call that Postiz had and does not have any more, if this is why it refused
    the call."""
    named = error.channel_id if isinstance(error, PostRejected) else None
    if named not in {element.integration_id for element in call.elements}:
        return None
    known = session.get(Integration, (call.credentials.account_id, named))
    return known.id if known else None


def _exclude_ids(ids: Sequence[int], excluded: Collection[int]) -> list[int]:
    return [post_id for post_id in ids if post_id not in set(excluded)]


def _return_posts(session: Session, call: Call, event: str, detail: str, **values: int) -> None:
    requeue_posts(session, call.post_ids, claim=call.claim, event=event, detail=detail, **values)


def _return_posts_counted(
    session: Session, call: Call, error: PressroomError, patience: Patience, *, pack: int
) -> None:
    requeue_counted(
        session,
        _lock_call_posts(session, call),
        pack=pack,
        event=error.code,
        detail=error.message,
        patience=patience,
    )


def _lock_call_posts(session: Session, call: Call) -> Sequence[Post]:
    ours = Post.id.in_(call.post_ids), Post.claim == call.claim
    return session.scalars(select(Post).where(*ours).with_for_update(key_share=True)).all()


def _handle_refusal(
    session: Session, rest: Call, error: PressroomError, offender: int | None
) -> None:
    """Fail the post at fault; if it is not known, halve the next calls. The others continue."""
    if offender is None:
        half = max(1, len(rest.post_ids) // 2)
        _return_posts(session, rest, "staging_split", error.message, pack_limit=half)
        return
    transitions.fail_posts(
        session,
        [post_id for post_id in rest.post_ids if post_id == offender],
        PostState.STAGING,
        code=error.code,
        message=f"Postiz refused it: {error.message}",
        hint="Correct what Postiz names, then publish it again.",
        claim=rest.claim,
    )
    others = replace(rest, post_ids=_exclude_ids(rest.post_ids, [offender]))
    _return_posts(session, others, "staging_delayed", "a neighbour was refused")
