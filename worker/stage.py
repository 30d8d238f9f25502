"""Stage: create drafts of due posts in Postiz, many in one counted call."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, insert, select, update
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from shared import failpoints, metrics, posts
from shared.domain.states import PostState
from shared.errors import Defect, PressroomError, Transient
from shared.models import Account, Handover, Post, Submission
from shared.postiz import Created, Postiz
from worker import accounts, calling, late
from worker.decisions import MAX_ATTEMPTS, Refused, Unknown, decide
from worker.defects import for_account, is_defect
from worker.release import few_elements_lately
from worker.runtime import Runtime
from worker.submissions import Call, ask_again, free_marker, prepare

#: One child serves one account for so long at a time (seconds).
TURN = 1.0
#: A millisecond that is taken by someone else's post is given up for another, so many times.
MARKER_TRIES = 5
#: In one round; the next one goes on.
CALLS_RESCUED = 100


@for_account
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
    with bound_contextvars(profile=call.profile_id, submission=call.submission_id):
        _call(runtime, call)


def _call(runtime: Runtime, call: Call) -> None:
    failpoints.hit("stage.before_call")
    try:
        created = calling.call(
            runtime,
            call.profile_id,
            call.version,
            call.account_id,
            lambda postiz: postiz.stage(
                _empty_window(runtime, call, postiz),
                call.elements,
                check=lambda: ask_again(runtime, call),
            ),
        )
    except PressroomError as error:
        failpoints.hit("stage.after_error")
        _failed(runtime, call, error)
    else:
        failpoints.hit("stage.after_call")
        metrics.SUBMISSION.labels("stage").observe(len(call.elements))
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
        taken_back = _taken_back(session, call, ids)
        posts.move(
            session,
            _without(call.post_ids, taken_back),
            PostState.STAGING,
            PostState.DRAFT if call.as_draft else PostState.STAGED,
            event="draft_created" if call.as_draft else "staged",
            detail=f"in one call with {len(ids)} posts" if len(ids) > 1 else None,
            claim=call.claim,
            values=_ready(ids, _settled_at(runtime, session, account)),
        )
        session.execute(insert(Handover), _handovers(call, submission.marker_at, ids))
    runtime.waker.release()


def _taken_back(
    session: Session, call: Call, ids: Mapping[int, str] | None = None
) -> Collection[int]:
    """Posts that the user took back while the call was made: handed to the canceller, with ids."""
    told = {"postiz_post_id": case(dict(ids), value=Post.id)} if ids else {}
    return session.scalars(
        update(Post)
        .where(
            Post.id.in_(call.post_ids),
            Post.claim == call.claim,
            Post.state == PostState.CANCELLING,
        )
        .values({"lease_until": func.now(), **told})
        .returning(Post.id)
        .execution_options(synchronize_session=False)
    ).all()


def _settled_at(runtime: Runtime, session: Session, account: Account) -> ColumnElement[datetime]:
    """When Postiz is at rest after what it has just created (DESIGN.md, "Settle")."""
    now = func.clock_timestamp()
    settle = runtime.settings.settle_seconds
    if few_elements_lately(session, account.server, settle):
        return now
    return now + timedelta(seconds=settle)


def _ready(ids: dict[int, str], settled_at: ColumnElement[datetime]) -> dict[str, object]:
    at_its_time = func.greatest(Post.publish_at, settled_at)
    return {
        "postiz_post_id": case(ids, value=Post.id),
        "release_at": case((Post.handoff == "staged", at_its_time), else_=settled_at),
        "attempts": Post.attempts - 1,  # this claim got it somewhere
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
        accounts.fail_call(session, call.account_id, error, key_hash=call.key_hash)
        submission = session.get_one(Submission, call.submission_id)
        submission.state = "rejected"
        if isinstance(decision, Unknown):
            submission.state, submission.litter_at = "abandoned", func.now()
        submission.detail = error.message
        rest = replace(call, post_ids=_without(call.post_ids, _taken_back(session, call)))
        match decision:
            case Refused(index=index):
                _refuse(session, rest, error, _offender(call, index))
            case _ if is_defect(error):  # of whichever post: found by halving, ended by attempts
                half = max(1, len(rest.post_ids) // 2)
                _back(session, rest, Defect.code, error.message, pack_limit=half)
            case Unknown():
                _back(session, rest, "staging_unknown", error.message)
            case _:
                _back(session, rest, "staging_delayed", error.message, attempts=-1)


def _without(ids: Sequence[int], gone: Collection[int]) -> list[int]:
    return [each for each in ids if each not in set(gone)]


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
        _without(ids, given_up),
        PostState.STAGING,
        PostState.PENDING,
        event=event,
        detail=detail,
        claim=claim,
        values=values | ({"pack_limit": pack_limit} if pack_limit else {}),
    )


def _offender(call: Call, index: int | None) -> int | None:
    """The post at fault: the one that Postiz named, or the only one."""
    if len(call.post_ids) == 1:
        return call.post_ids[0]
    named = index is not None and index < len(call.post_ids)
    return call.post_ids[index] if named and index is not None else None


def _refuse(session: Session, rest: Call, error: PressroomError, offender: int | None) -> None:
    """End the offender; where nobody named it, it is found by halving. The others go on."""
    if offender is None:
        half = max(1, len(rest.post_ids) // 2)
        _back(session, rest, "staging_split", error.message, attempts=-1, pack_limit=half)
        return
    posts.fail(
        session,
        [each for each in rest.post_ids if each == offender],
        PostState.STAGING,
        code=error.code,
        message=f"Postiz refused it: {error.message}",
        hint="Correct what Postiz names, then publish it again.",
        claim=rest.claim,
    )
    others = replace(rest, post_ids=_without(rest.post_ids, [offender]))
    _back(session, others, "staging_delayed", "a neighbour was refused", attempts=-1)


def rescue(session: Session, lease_seconds: float) -> int:
    """Calls whose worker is gone left drafts or nothing: stage anew; the drafts are litter.

    Returns how many there were. A call of which somebody still holds the row, or a post, is left
    to the next round.

    A move to 2099 leaves no litter: its posts are looked at again, and moved again.
    """
    gone = func.now() - timedelta(seconds=lease_seconds)
    calls = session.scalars(
        select(Submission.id)
        .where(Submission.state == "sending", Submission.sent_at < gone)
        .order_by(Submission.sent_at)
        .limit(CALLS_RESCUED)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    under_way = (Post.submission_id.in_(calls), Post.state == PostState.STAGING)
    held = posts.held_by_others(session, *under_way)
    busy = set(session.scalars(select(Post.submission_id).where(Post.id.in_(held))))
    abandoned = [call for call in calls if call not in busy]
    session.execute(
        update(Submission)
        .where(Submission.id.in_(abandoned))
        .values(
            state="abandoned",
            detail="the worker was gone before Postiz answered",
            litter_at=case((Submission.kind == "stage", func.now()), else_=None),
        )
    )
    rows = session.execute(
        select(Post.claim, func.array_agg(Post.id))
        .where(Post.submission_id.in_(abandoned), Post.state == PostState.STAGING)
        .group_by(Post.claim)
    ).all()
    for claim, ids in rows:
        put_back(session, ids, claim, event="staging_unknown", detail="the worker was gone")
    return len(abandoned)
