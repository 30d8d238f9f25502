"""Prepares a counted call: chooses posts that are due, and writes it down before it is made."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, exists, func, not_, select
from sqlalchemy.orm import Session, aliased

from shared import posts
from shared.domain.gist import fingerprint
from shared.domain.packing import Candidate, pack, size_of
from shared.domain.states import PostState
from shared.errors import Paused
from shared.late_policy import not_too_late
from shared.models import Account, AccountMedia, Integration, Job, Post, Profile, Submission
from shared.postiz import Element, RemoteMedia
from worker import accounts
from worker.runtime import Runtime

#: How long before its time a post is handed over (DESIGN.md, "Numbers").
STAGED_AHEAD = timedelta(hours=24)
CALENDAR_AHEAD = timedelta(days=14)
CANDIDATES = 400


@dataclass(frozen=True, kw_only=True)
class Call:
    """A counted call that is written down and may be made."""

    submission_id: int
    account_id: int
    claim: int
    profile_id: str
    version: int
    key_hash: str | None
    marker_at: datetime
    post_ids: Sequence[int]
    elements: Sequence[Element]
    as_draft: bool


def due(account_id: int) -> ColumnElement[bool]:
    """Which pending posts may be staged now."""
    ahead = case((Post.handoff == "staged", STAGED_AHEAD), else_=CALENDAR_AHEAD)
    wanted = func.unnest(Post.media_ids).column_valued("wanted")
    uploaded = aliased(AccountMedia)
    missing = exists(
        select(wanted).where(
            ~exists().where(
                uploaded.media_id == wanted,
                uploaded.account_id == Post.account_id,
                uploaded.state == "uploaded",
            )
        )
    )
    return and_(
        Post.account_id == account_id,
        Post.state == PostState.PENDING,
        Post.integration_identifier.is_not(None),  # else see worker/late.py
        Post.next_at <= func.now(),
        Post.publish_at <= func.now() + ahead,
        may_go(),
        not_(elsewhere()),
        not_(missing),
    )


def elsewhere() -> ColumnElement[bool]:
    """The post's integration is known, but only of another organization than the profile's key.

    Two Postiz servers may use the same id: what the account has itself is its own.
    """
    known = exists().where(Integration.id == Post.integration_id).correlate(Post)
    own = exists().where(
        Integration.id == Post.integration_id, Integration.account_id == Post.account_id
    )
    return and_(known, not_(own.correlate(Post)))


def may_go() -> ColumnElement[bool]:
    """Not paused, not wanted back, in time, and the profile's key may be used for the account."""
    return and_(
        Post.take_back.is_(False),
        _of_post(Job.id == Post.job_id, Job.paused.is_(False)),
        _of_post(Profile.id == Post.profile_id, Profile.paused.is_(False)),
        _of_post(Account.id == Post.account_id, Account.paused.is_(False)),
        not_too_late(),
        may_call(),
    )


def may_call() -> ColumnElement[bool]:
    """The profile's key is of this post's account, and not held there."""
    held = and_(Account.held.is_not(None), Account.held_key.is_not_distinct_from(Profile.key_hash))
    return _of_post(
        Profile.id == Post.profile_id,
        Profile.account_id == Post.account_id,
        Account.id == Post.account_id,
        not_(held),
    )


def _of_post(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether such rows exist for the post, whatever else the query around it joins."""
    return exists().where(*conditions).correlate(Post)


def prepare(runtime: Runtime, account_id: int) -> Call | None:
    """Claim the account and its next posts, and write the call down, in one transaction."""
    lease = runtime.settings.lease_seconds
    with runtime.database.transaction() as session:
        account = accounts.claim(session, account_id, lease_seconds=lease)
        if account is None:
            return None
        chosen = _choose(session, account)
        if not chosen or not accounts.reserve_call(session, account):
            accounts.give_back(session, account)
            return None
        return _write_down(session, account, chosen, lease)


def ask_again(runtime: Runtime, call: Call) -> None:
    """The last question before the first byte: may each post still go? Raises `Paused` if not."""
    with runtime.database.transaction() as session:
        ready = select(func.count()).where(
            Post.id.in_(call.post_ids),
            Post.state == PostState.STAGING,
            Post.claim == call.claim,
            may_go(),
        )
        held_back = len(call.post_ids) - (session.scalar(ready) or 0)
    if held_back:
        raise Paused(f"{held_back} of {len(call.post_ids)} posts were held back before the call")


def _choose(session: Session, account: Account) -> list[Post]:
    rows = session.scalars(
        select(Post)
        .where(due(account.id))
        .order_by(Post.publish_at, Post.id)
        .limit(CANDIDATES)
        .with_for_update(of=Post, skip_locked=True)
    ).all()
    by_id = {row.id: row for row in rows}
    return [by_id[one.id] for one in pack(map(_candidate, rows))]


def _candidate(post: Post) -> Candidate:
    return Candidate(
        id=post.id,
        profile_id=post.profile_id,
        handoff=post.handoff,
        as_draft=post.as_draft,
        publish_at=post.publish_at,
        size=size_of(post.content, post.settings, len(post.media_ids)),
        pack_limit=post.pack_limit,
    )


def _write_down(session: Session, account: Account, chosen: list[Post], lease: float) -> Call:
    profile = session.get_one(Profile, chosen[0].profile_id)
    elements = elements_of(session, account.id, chosen)
    submission = Submission(
        account_id=account.id,
        profile_id=profile.id,
        server=account.server,
        marker_at=free_marker(session, account.id, _date_of(chosen[0])),
        elements=len(chosen),
        sent=[fingerprint(one.integration_id, one.content) for one in elements],
    )
    session.add(submission)
    session.flush()
    ids = [post.id for post in chosen]
    values = {
        "claim": account.claim,
        "lease_until": func.now() + timedelta(seconds=lease),
        "attempts": Post.attempts + 1,
        "submission_id": submission.id,
        **dict.fromkeys(("error_code", "error_message", "error_hint")),
    }
    to = PostState.STAGING
    posts.move(session, ids, PostState.PENDING, to, event="staging", values=values)
    return Call(
        submission_id=submission.id,
        account_id=account.id,
        claim=account.claim,
        profile_id=profile.id,
        version=profile.settings_version,
        key_hash=profile.key_hash,
        marker_at=submission.marker_at,
        post_ids=ids,
        elements=elements,
        as_draft=chosen[0].as_draft,
    )


def elements_of(
    session: Session,
    account_id: int,
    chosen: Sequence[Post],
    postiz_ids: Mapping[int, str] | None = None,
) -> list[Element]:
    """What is sent of each post; with `postiz_ids`, to change those posts in place."""
    present = postiz_ids or {}
    wanted = {media_id for post in chosen for media_id in post.media_ids}
    uploaded = session.scalars(
        select(AccountMedia).where(
            AccountMedia.account_id == account_id, AccountMedia.media_id.in_(wanted)
        )
    )
    remote = {
        row.media_id: RemoteMedia(id=row.postiz_id or "", path=row.postiz_path or "")
        for row in uploaded
    }
    return [
        Element(
            integration_id=post.integration_id,
            content=post.content,
            settings=post.settings,
            images=[remote[media_id] for media_id in post.media_ids],
            postiz_id=present.get(post.id),
        )
        for post in chosen
    ]


def _date_of(post: Post) -> datetime:
    """The second under which the draft stands in Postiz.

    Its true time in the calendar; for a staged one a second of the last 11 hours, for Postiz's own
    rescue of late posts looks back two days and must never meet it.
    """
    if post.as_draft or post.handoff == "calendar":
        return post.publish_at.replace(microsecond=0)
    back = random.uniform(3600, 11 * 3600)  # noqa: S311 (chance, not secrecy)
    return accounts.now_plus(-back).replace(microsecond=0)


def free_marker(session: Session, account_id: int, second: datetime) -> datetime:
    """A millisecond of that second, never .000, that no other call of the account uses."""
    while True:
        taken = set(
            session.scalars(
                select(Submission.marker_at).where(
                    Submission.account_id == account_id,
                    Submission.marker_at >= second,
                    Submission.marker_at < second + timedelta(seconds=1),
                )
            )
        )
        free = [
            moment
            for ms in range(1, 1000)
            if (moment := second + timedelta(milliseconds=ms)) not in taken
        ]
        if free:
            return random.choice(free)  # noqa: S311 (chance, not secrecy)
        second += timedelta(seconds=1)
