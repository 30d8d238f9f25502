"""Litter: delete the drafts that calls of unknown outcome, and ids that were given up, left behind.

A draft never publishes by itself; but it stands in the user's calendar, and in the way of a person.
Only drafts are deleted, and only what we sent there: by our millisecond, integration and content.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared import holds, metrics
from shared.domain.gist import fingerprint
from shared.domain.settling import DRAFT
from shared.errors import OutcomeUnknown, PostRejected, PressroomError
from shared.log import get_logger
from shared.models import Account, Handover, Post, Profile, Submission
from shared.postiz import Postiz, RemotePost
from worker import accounts, calling, deleting, pace
from worker.runtime import Runtime

AT_ONCE = 20
#: One child serves one account for so long at a time (seconds).
TURN = 1.0
#: An abandoned request may still run inside Postiz: its window is looked at again for so long.
LOOK_FOR = timedelta(hours=24)
LONGEST_PAUSE = timedelta(hours=1)

log = get_logger("litter")


@dataclass(frozen=True, kw_only=True)
class Window:
    """An abandoned call's millisecond, and what it may have left there."""

    submission_id: int
    account_id: int
    profile_id: str
    version: int
    key_hash: str | None
    marker_at: datetime
    sent_at: datetime
    sent: frozenset[str]


def clean(runtime: Runtime, account_id: int) -> None:
    """Look at the account's abandoned windows that are due, and delete what we left there."""
    ends = time.monotonic() + TURN
    windows = _claim(runtime, account_id)
    while windows and time.monotonic() < ends:
        window = windows.pop(0)
        try:
            clean = _clean_one(runtime, window, ends)
        except PressroomError as error:
            _look_again(runtime, [window, *windows])
            _badly(runtime, account_id, error, window.key_hash)
            return
        if not clean:
            windows.append(window)
            break
        _looked(runtime, window)
    _look_again(runtime, windows)
    _delete_discarded(runtime, account_id, ends)


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
    """Windows that are due, left to us for a lease: a look that nobody ends is made anew."""
    lease = timedelta(seconds=runtime.settings.lease_seconds)
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
            submission.litter_at = now + lease
        return [
            Window(
                submission_id=submission.id,
                account_id=account_id,
                profile_id=profile.id,
                version=profile.settings_version,
                key_hash=profile.key_hash,
                marker_at=submission.marker_at,
                sent_at=submission.sent_at,
                sent=frozenset(submission.sent),
            )
            for submission, profile in rows
        ]


def _usable() -> ColumnElement[bool]:
    """The key of the profile that made the call is still of its account, and not held there."""
    return and_(Profile.account_id == Submission.account_id, ~holds.is_held())


def _next_look(now: datetime, sent_at: datetime) -> datetime | None:
    """Soon at first, then as long after as it is old; None once it is old enough."""
    age = now - sent_at
    if age > LOOK_FOR:
        return None
    return now + min(max(age, timedelta(seconds=5)), LONGEST_PAUSE)


def _looked(runtime: Runtime, window: Window) -> None:
    """Nothing of ours is there now: look again when something may have come late."""
    with runtime.database.transaction() as session:
        _due_at(session, window, _next_look(pace.clock(session), window.sent_at))


def _look_again(runtime: Runtime, windows: Iterable[Window]) -> None:
    """What was not looked at, or not to its end, is due at once: the account's rest is enough."""
    with runtime.database.transaction() as session:
        for window in windows:
            _due_at(session, window, pace.clock(session))


def _due_at(session: Session, window: Window, moment: datetime | None) -> None:
    row = update(Submission).where(Submission.id == window.submission_id)
    session.execute(row.values(litter_at=moment))


def _badly(runtime: Runtime, account_id: int, error: PressroomError, key_hash: str | None) -> None:
    with runtime.database.transaction() as session:
        accounts.went_wrong(session, account_id, error, key_hash=key_hash)


def _clean_one(runtime: Runtime, window: Window, ends: float) -> bool:
    """Whether nothing that we sent there is left; False when the turn or the pace was over."""
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
        if time.monotonic() > ends or not deleting.delete(runtime, target):
            return False  # the child, or the pace, is needed for others
        metrics.LITTER.labels("abandoned").inc()
        log.info("litter deleted", account=window.account_id, postiz_id=row.id)
    return True


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


def _delete_discarded(runtime: Runtime, account_id: int, ends: float) -> None:
    """Ids that we or a person gave up: deleted, so that Postiz tries them no more."""
    for one in _discarded(runtime, account_id):
        try:
            if time.monotonic() > ends or not _is_gone(runtime, one):
                return
        except PressroomError as error:
            log.warning("discarded post not deleted", post=one.target.postiz_id, why=error.message)
            _badly(runtime, account_id, error, one.key_hash)
            return
        with runtime.database.transaction() as session:
            row = update(Handover).where(Handover.id == one.handover_id)
            session.execute(row.values(state="buried"))
        metrics.LITTER.labels("discarded").inc()


@dataclass(frozen=True, kw_only=True)
class _Discarded:
    handover_id: int
    target: deleting.Target
    key_hash: str | None
    markers: tuple[datetime, ...]  # the dates under which it may stand in Postiz


def _discarded(runtime: Runtime, account_id: int) -> list[_Discarded]:
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
        return [_of(handover, profile) for handover, profile in rows]


def _of(handover: Handover, profile: Profile) -> _Discarded:
    return _Discarded(
        handover_id=handover.id,
        target=deleting.Target(
            profile_id=profile.id,
            version=profile.settings_version,
            account_id=handover.account_id,
            postiz_id=handover.postiz_id,
        ),
        key_hash=profile.key_hash,
        markers=(handover.marker_at, *([handover.parked_at] if handover.parked_at else [])),
    )


def _is_gone(runtime: Runtime, one: _Discarded) -> bool:
    """Delete it. Postiz answers alike for an unknown id and for trouble: only a look can tell."""
    try:
        return deleting.delete(runtime, one.target)
    except (OutcomeUnknown, PostRejected):
        if _is_listed(runtime, one):
            raise
        return True


def _is_listed(runtime: Runtime, one: _Discarded) -> bool:
    def find(postiz: Postiz) -> bool:
        windows = (postiz.window(marker, marker) for marker in one.markers)
        return any(row.id == one.target.postiz_id for window in windows for row in window)

    target = one.target
    return calling.call(runtime, target.profile_id, target.version, target.account_id, find)
