"""Records the result of a counted call for its posts: a draft in Postiz, or pending again."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, insert, select, update
from sqlalchemy.orm import Session

from shared.domain.publishing.fingerprint import compute_fingerprint
from shared.domain.publishing.restore_matching import Ours
from shared.domain.publishing.staging_attempts import Patience, double_limit
from shared.domain.publishing.states import PostState
from shared.intake import post_edits
from shared.intake.post_edits import CurrentValues
from shared.models import Account, Handover, Post, Submission
from shared.posts import transitions
from worker.staging.settle_time import has_few_recent_elements


def draft_signature(post: Post) -> Ours:
    """The values of the post that are compared with posts in Postiz."""
    return _signature(post, post)


def edited_signature(post: Post) -> Ours:
    """The same, as an edit that waits changes them."""
    return _signature(post, post_edits.current_values(post))


def _signature(post: Post, values: Post | CurrentValues) -> Ours:
    sent = [values.media_ids, values.settings, values.content, values.thread]
    whole = json.dumps(sent, sort_keys=True)
    return Ours(
        post_id=post.id,
        fingerprint=compute_fingerprint(post.integration_id, values.content),
        whole=hashlib.sha256(whole.encode()).hexdigest(),
        publish_at=values.publish_at,
        is_thread=bool(values.thread),
    )


def keep_drafts(
    session: Session,
    account: Account,
    submission: Submission,
    ids: Mapping[int, str],
    moved: Collection[int],
    *,
    detail: str | None,
    settle_seconds: float,
    as_draft: bool,
    claim: int | None = None,
) -> None:
    """Record drafts in Postiz. `ids`: post ids with their ids in Postiz, all are saved.

    `moved`: the posts that change to staged (or draft).
    """
    _widen_packs(session, account.id, ids)
    transitions.move_posts(
        session,
        moved,
        PostState.STAGING,
        PostState.DRAFT if as_draft else PostState.STAGED,
        event="draft_created" if as_draft else "staged",
        detail=detail,
        claim=claim,
        values=_draft_values(ids, _settled_at(session, account, settle_seconds)),
    )
    rows = [
        {
            "post_id": post_id,
            "account_id": account.id,
            "submission_id": submission.id,
            "postiz_id": postiz_id,
            "marker_at": submission.marker_at,
        }
        for post_id, postiz_id in ids.items()
    ]
    if rows:
        session.execute(insert(Handover), rows)


def _settled_at(
    session: Session, account: Account, settle_seconds: float
) -> ColumnElement[datetime]:
    """When the settle time after a creation ends (docs/POSTIZ.md, "How much Postiz can take")."""
    now = func.clock_timestamp()
    if has_few_recent_elements(session, account.server, settle_seconds):
        return now
    return now + timedelta(seconds=settle_seconds)


def _draft_values(ids: Mapping[int, str], settled_at: ColumnElement[datetime]) -> dict[str, object]:
    at_its_time = func.greatest(Post.publish_at, settled_at)
    return {
        "postiz_post_id": case(dict(ids), value=Post.id),
        "release_at": case((Post.handoff == "staged", at_its_time), else_=settled_at),
        "unclear_calls": 0,
        "pack_limit": None,
    }


def _widen_packs(session: Session, account_id: int, ids: Collection[int]) -> None:
    """After a call with a reduced size succeeded, double the limits of pending posts again."""
    limits = select(Post.pack_limit).where(Post.id.in_(ids), Post.pack_limit.is_not(None))
    if session.scalar(limits.limit(1)) is None:
        return
    wait = Post.account_id == account_id, Post.state == PostState.PENDING
    found = select(Post.pack_limit).where(*wait, Post.pack_limit.is_not(None)).distinct()
    for limit in session.scalars(found).all():
        of_limit = update(Post).where(*wait, Post.pack_limit == limit)
        session.execute(of_limit.values(pack_limit=double_limit(limit or 1)))


def requeue_posts(
    session: Session,
    ids: Sequence[int],
    *,
    event: str,
    detail: str,
    claim: int | None = None,
    pack_limit: int | None = None,
) -> None:
    """Make posts pending again whose call certainly created nothing; the call does not count."""
    values = {"submission_id": None, "unclear_calls": Post.unclear_calls - 1}
    transitions.move_posts(
        session,
        ids,
        PostState.STAGING,
        PostState.PENDING,
        event=event,
        detail=detail,
        claim=claim,
        values=values | ({"pack_limit": pack_limit} if pack_limit else {}),
    )


def requeue_counted(
    session: Session,
    rows: Sequence[Post],
    *,
    pack: int,
    event: str,
    detail: str,
    patience: Patience,
) -> None:
    """Make posts pending again after a call of `pack` posts that one of them may have failed.

    Posts that have used up `patience` fail.
    """
    failed_ids = [post.id for post in rows if patience.is_over(post.unclear_calls, pack)]
    transitions.fail_posts(
        session,
        failed_ids,
        PostState.STAGING,
        code="too_many_attempts",
        message=f"given up after {patience.most} calls that came to nothing; the last: {detail}",
        hint="Retry it once Postiz answers again.",
    )
    limits: dict[int | None, list[int]] = defaultdict(list)
    for post in rows:
        if post.id not in failed_ids:
            limits[patience.limit(post.unclear_calls, pack)].append(post.id)
    for limit, ids in limits.items():
        values = {"submission_id": None} | ({"pack_limit": limit} if limit else {})
        transitions.move_posts(
            session,
            ids,
            PostState.STAGING,
            PostState.PENDING,
            event=event,
            detail=detail,
            values=values,
        )
