"""Stage: create drafts of due posts in Postiz, many in one counted call."""

import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.orm import Session

from shared import failpoints, posts
from shared.domain.states import PostState
from shared.errors import PressroomError, Transient
from shared.models import Account, Handover, Post, Submission
from shared.postiz import Created, Postiz
from worker import accounts, calling, late
from worker.decisions import MAX_ATTEMPTS, Refused, Unknown, decide
from worker.runtime import Runtime
from worker.submissions import Call, free_marker, prepare

#: One child serves one account for so long at a time (seconds).
TURN = 1.0
#: A millisecond that is taken by someone else's post is given up for another, so many times.
MARKER_TRIES = 5


def stage(runtime: Runtime, account_id: int) -> None:
    """Stage what is due on this account, for one turn."""
    ends = time.monotonic() + TURN
    late.resolve(runtime, account_id)
    while call := prepare(runtime, account_id):
        _make(runtime, call)
        if time.monotonic() > ends:
            runtime.waker.stage(account_id)
            return


def _make(runtime: Runtime, call: Call) -> None:
    failpoints.hit("stage.before_call")
    try:
        created = calling.call(
            runtime,
            call.profile_id,
            call.version,
            call.account_id,
            lambda postiz: postiz.stage(_empty_window(runtime, call, postiz), call.elements),
        )
    except PressroomError as error:
        failpoints.hit("stage.after_error")
        _failed(runtime, call, error)
    else:
        failpoints.hit("stage.after_call")
        _staged(runtime, call, created)
        failpoints.hit("stage.after_commit")


def _empty_window(runtime: Runtime, call: Call, postiz: Postiz) -> datetime:
    """The call's millisecond, or another, under which Postiz has nothing yet."""
    marker_at = call.marker_at
    for _ in range(MARKER_TRIES):
        if not postiz.window(marker_at, marker_at):
            return marker_at
        with runtime.database.transaction() as session:
            submission = session.get_one(Submission, call.submission_id)
            marker_at = free_marker(session, call.account_id, marker_at.replace(microsecond=0))
            submission.marker_at = marker_at
    raise Transient("no free millisecond was found in Postiz's calendar")


def _staged(runtime: Runtime, call: Call, created: Created) -> None:
    """Write down the ids: from here on each post has a draft in Postiz."""
    ids = dict(zip(call.post_ids, created.ids, strict=True))
    with runtime.database.transaction() as session:
        account = accounts.went_well(session, call.account_id, created.budget)
        accounts.give_back(session, account)
        submission = session.get_one(Submission, call.submission_id)
        submission.state, submission.status = "staged", created.status
        submission.replied_at = func.clock_timestamp()
        posts.move(
            session,
            call.post_ids,
            PostState.STAGING,
            PostState.DRAFT if call.as_draft else PostState.STAGED,
            event="draft_created" if call.as_draft else "staged",
            detail=f"in one call with {len(ids)} posts" if len(ids) > 1 else None,
            claim=call.claim,
            values=_ready(ids),
        )
        session.execute(insert(Handover), _handovers(call, submission.marker_at, ids))
    runtime.waker.release(call.account_id)


def _ready(ids: dict[int, str]) -> dict[str, object]:
    calendar = func.clock_timestamp()
    return {
        "postiz_post_id": case(ids, value=Post.id),
        "release_at": case((Post.handoff == "staged", Post.publish_at), else_=calendar),
        "attempts": 0,
        "pack_limit": None,
    }


def _handovers(call: Call, marker_at: datetime, ids: dict[int, str]) -> list[dict[str, object]]:
    return [
        {
            "post_id": post_id,
            "account_id": call.account_id,
            "submission_id": call.submission_id,
            "postiz_id": postiz_id,
            "marker_at": marker_at,
        }
        for post_id, postiz_id in ids.items()
    ]


def _failed(runtime: Runtime, call: Call, error: PressroomError) -> None:
    """Put the posts back, or end the one at fault; its neighbours go on."""
    decision = decide(error)
    with runtime.database.transaction() as session:
        account = accounts.went_wrong(session, call.account_id, error, key_hash=call.key_hash)
        accounts.give_back(session, account)
        submission = session.get_one(Submission, call.submission_id)
        submission.state = "abandoned" if isinstance(decision, Unknown) else "rejected"
        submission.detail = error.message
        match decision:
            case Refused(index=index):
                _refuse(session, call, error, index)
            case Unknown():
                _back(session, call, "staging_unknown", error.message)
            case _:
                _not_sent(account)
                _back(session, call, "staging_delayed", error.message, attempts=-1)


def _not_sent(account: Account) -> None:
    """The call that was reserved was not made."""
    account.budget_used = max(0, account.budget_used - 1)


def _back(session: Session, call: Call, event: str, detail: str, **values: int) -> None:
    put_back(session, call.post_ids, call.claim, event=event, detail=detail, **values)


def put_back(
    session: Session,
    ids: Sequence[int],
    claim: int,
    *,
    event: str,
    detail: str,
    attempts: int = 0,
    pack_limit: int | None = None,
) -> None:
    """Posts whose staging came to nothing are pending again, or failed after too many attempts."""
    spent = Post.attempts + attempts >= MAX_ATTEMPTS
    query = select(Post.id).where(Post.id.in_(ids), Post.claim == claim, spent)
    given_up = list(session.scalars(query))
    posts.fail(
        session,
        given_up,
        PostState.STAGING,
        code="too_many_attempts",
        message=f"given up after {MAX_ATTEMPTS} attempts; the last: {detail}",
        hint="Retry it once Postiz answers again.",
        claim=claim,
    )
    values = {"submission_id": None, "attempts": Post.attempts + attempts}
    posts.move(
        session,
        [each for each in ids if each not in set(given_up)],
        PostState.STAGING,
        PostState.PENDING,
        event=event,
        detail=detail,
        claim=claim,
        values=values | ({"pack_limit": pack_limit} if pack_limit else {}),
    )


def _refuse(session: Session, call: Call, error: PressroomError, index: int | None) -> None:
    """The offender is the one that Postiz named, or the only one; else it is found by halving."""
    ids = list(call.post_ids)
    if len(ids) == 1:
        index = 0
    if index is None or index >= len(ids):
        half = max(1, len(ids) // 2)
        _back(session, call, "staging_split", error.message, attempts=-1, pack_limit=half)
        return
    posts.fail(
        session,
        [ids[index]],
        PostState.STAGING,
        code=error.code,
        message=f"Postiz refused it: {error.message}",
        hint="Correct what Postiz names, then publish it again.",
        claim=call.claim,
    )
    put_back(
        session,
        ids[:index] + ids[index + 1 :],
        call.claim,
        event="staging_delayed",
        detail="a neighbour was refused",
        attempts=-1,
    )


def rescue(session: Session, account_id: int) -> None:
    """Staging whose owner is gone left drafts or nothing: stage anew; the drafts are litter."""
    abandoned = session.scalars(
        update(Submission)
        .where(
            Submission.account_id == account_id,
            Submission.state == "sending",
            Submission.id.in_(
                select(Post.submission_id).where(
                    Post.account_id == account_id,
                    Post.state == PostState.STAGING,
                    Post.lease_until < func.now(),
                )
            ),
        )
        .values(state="abandoned", detail="the worker was gone before Postiz answered")
        .returning(Submission.id)
    ).all()
    rows = session.execute(
        select(Post.claim, func.array_agg(Post.id))
        .where(Post.submission_id.in_(abandoned), Post.state == PostState.STAGING)
        .group_by(Post.claim)
    ).all()
    for claim, ids in rows:
        put_back(session, ids, claim, event="staging_unknown", detail="the worker was gone")
