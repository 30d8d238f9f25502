"""Litter: delete the drafts that calls of unknown outcome, and ids that were given up, left behind.

A draft never publishes by itself; but it stands in the user's calendar, and in the way of a person.
Only drafts are deleted, and only what we sent there: by our millisecond, integration and content.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select, update
from sqlalchemy.orm import Session

from shared.domain.gist import fingerprint
from shared.domain.settling import DRAFT
from shared.errors import PressroomError
from shared.log import get_logger
from shared.models import Account, Handover, Post, Profile, Submission
from shared.postiz import RemotePost
from worker import accounts, calling, deleting, pace
from worker.runtime import Runtime

AT_ONCE = 20
#: An abandoned request may still run inside Postiz: its window is looked at again for so long.
LOOK_FOR = timedelta(hours=24)
LONGEST_PAUSE = timedelta(hours=1)

log = get_logger("litter")


@dataclass(frozen=True, kw_only=True)
class Window:
    """An abandoned call's millisecond, and what it may have left there."""

    account_id: int
    profile_id: str
    version: int
    key_hash: str | None
    marker_at: datetime
    sent: frozenset[str]


def clean(runtime: Runtime, account_id: int) -> None:
    """Look at the account's abandoned windows that are due, and delete what we left there."""
    for window in _claim(runtime, account_id):
        try:
            _clean_one(runtime, window)
        except PressroomError as error:
            with runtime.database.transaction() as session:
                accounts.went_wrong(session, account_id, error, key_hash=window.key_hash)
            return
    _delete_discarded(runtime, account_id)


def due(session: Session) -> list[int]:
    """The accounts with litter to look for."""
    windows = exists().where(
        Submission.account_id == Account.id, Submission.litter_at <= func.now()
    )
    discarded = exists().where(
        Handover.account_id == Account.id,
        Handover.state == "discarded",
        Post.id == Handover.post_id,
        Profile.id == Post.profile_id,
        Profile.account_id == Account.id,
    )
    query = select(Account.id).where(accounts.rested(), or_(windows, discarded))
    return list(session.scalars(query))


def _claim(runtime: Runtime, account_id: int) -> list[Window]:
    """Windows that are due, with the next look written down before this one is made."""
    with runtime.database.transaction() as session:
        rows = session.execute(
            select(Submission, Profile)
            .join(Profile, Profile.id == Submission.profile_id)
            .where(
                Submission.account_id == account_id,
                Submission.kind == "stage",
                Submission.litter_at <= func.now(),
                _usable(),
            )
            .order_by(Submission.litter_at)
            .limit(AT_ONCE)
            .with_for_update(of=Submission, key_share=True, skip_locked=True)
        ).all()
        now = pace.clock(session)
        for submission, _ in rows:
            submission.litter_at = _next_look(now, submission.sent_at)
        return [
            Window(
                account_id=account_id,
                profile_id=profile.id,
                version=profile.settings_version,
                key_hash=profile.key_hash,
                marker_at=submission.marker_at,
                sent=frozenset(submission.sent),
            )
            for submission, profile in rows
        ]


def _usable() -> ColumnElement[bool]:
    held = and_(Account.held.is_not(None), Account.held_key.is_not_distinct_from(Profile.key_hash))
    return (
        exists()
        .where(
            Account.id == Submission.account_id,
            Profile.account_id == Account.id,
            not_(held),
        )
        .correlate(Submission, Profile)
    )


def _next_look(now: datetime, sent_at: datetime) -> datetime | None:
    """Soon at first, then as long after as it is old; None once it is old enough."""
    age = now - sent_at
    if age > LOOK_FOR:
        return None
    return now + min(max(age, timedelta(seconds=5)), LONGEST_PAUSE)


def _clean_one(runtime: Runtime, window: Window) -> None:
    rows = calling.call(
        runtime,
        window.profile_id,
        window.version,
        window.account_id,
        lambda postiz: postiz.window(window.marker_at, window.marker_at),
    )
    for row in _ours(runtime, window, rows):
        target = deleting.Target(
            profile_id=window.profile_id,
            version=window.version,
            account_id=window.account_id,
            postiz_id=row.id,
        )
        if not deleting.delete(runtime, target):
            return  # the pace is needed for releases: the next look comes
        log.info("litter deleted", account=window.account_id, postiz_id=row.id)


def _ours(runtime: Runtime, window: Window, rows: Iterable[RemotePost]) -> list[RemotePost]:
    drafts = [row for row in rows if row.state == DRAFT]
    ours = [row for row in drafts if fingerprint(row.integration_id, row.content) in window.sent]
    with runtime.database.transaction() as session:
        alive = set(
            session.scalars(
                select(Handover.postiz_id).where(
                    Handover.account_id == window.account_id,
                    Handover.postiz_id.in_([row.id for row in ours]),
                    Handover.buried_at.is_(None),
                )
            )
        )
    return [row for row in ours if row.id not in alive]


def _delete_discarded(runtime: Runtime, account_id: int) -> None:
    """Ids that a person gave up by a retry: deleted, so that Postiz tries them no more."""
    with runtime.database.transaction() as session:
        rows = session.execute(
            select(Handover, Profile)
            .join(Post, Post.id == Handover.post_id)
            .join(Profile, Profile.id == Post.profile_id)
            .where(
                Handover.account_id == account_id,
                Handover.state == "discarded",
                Profile.account_id == account_id,
            )
            .limit(AT_ONCE)
        ).all()
        targets = {
            handover.id: deleting.Target(
                profile_id=profile.id,
                version=profile.settings_version,
                account_id=account_id,
                postiz_id=handover.postiz_id,
            )
            for handover, profile in rows
        }
    for handover_id, target in targets.items():
        try:
            if not deleting.delete(runtime, target):
                return
        except PressroomError as error:  # unknown there, or away: the look for litter is over
            log.warning("discarded post not deleted", post=target.postiz_id, reason=error.message)
        with runtime.database.transaction() as session:
            session.execute(
                update(Handover).where(Handover.id == handover_id).values(state="buried")
            )
