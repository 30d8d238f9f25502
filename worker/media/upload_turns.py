"""Fair order of uploads: many files of one profile do not delay the files of others."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, func, not_, select, true
from structlog.contextvars import bound_contextvars

from shared.containment import contain_failures
from shared.models import Account, AccountMedia, Profile
from worker.accounts.eligibility import is_rested
from worker.bulkhead import Bulkhead, suspect_servers
from worker.media import upload
from worker.runtime import Runtime

#: How long a child starts uploads, before it takes other tasks of its queue (seconds).
SLICE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The profile's upload that has waited longest."""

    upload_id: int
    profile_id: str
    account_id: int
    since: datetime
    suspect: bool


def upload_in_turn(runtime: Runtime, bulkhead: Bulkhead) -> None:
    """Make waiting uploads for one time slice, as far as the bulkhead allows."""
    ends = time.monotonic() + SLICE_SECONDS
    while begun := _upload_next(runtime, bulkhead):
        if time.monotonic() >= ends:
            runtime.waker.upload(begun)
            return


def _upload_next(runtime: Runtime, bulkhead: Bulkhead) -> int | None:
    """Make one upload; returns its id, or None if there is none that we may make."""
    full: set[int] = set()
    for waiting in sort_fairly(_find_waiting_uploads(runtime), runtime.last_uploads):
        if waiting.account_id in full:
            continue
        place = bulkhead.place(runtime.database, waiting.account_id, suspect=waiting.suspect)
        with place as admitted:
            if not admitted:
                full.add(waiting.account_id)
            elif _upload_waiting(runtime, waiting):
                return waiting.upload_id
    return None


def _upload_waiting(runtime: Runtime, waiting: Waiting) -> bool:
    """Whether we claimed it; after an unexpected error it is retried when its lease has ended."""
    runtime.last_uploads[waiting.account_id] = runtime.last_uploads[waiting.profile_id] = (
        time.monotonic()
    )
    log_context = bound_contextvars(upload=waiting.upload_id)
    with log_context, contain_failures("upload", upload=waiting.upload_id):
        return upload.upload_medium(runtime, waiting.upload_id)
    return True


def sort_fairly(
    waiting: Sequence[Waiting], last_uploads: Mapping[int | str, float]
) -> list[Waiting]:
    """By the account served longest ago, then the profile served longest ago, then waiting time."""

    def fairness_key(candidate: Waiting) -> tuple[float, float, datetime]:
        return (
            last_uploads.get(candidate.account_id, 0.0),
            last_uploads.get(candidate.profile_id, 0.0),
            candidate.since,
        )

    return sorted(waiting, key=fairness_key)


def _find_waiting_uploads(runtime: Runtime) -> list[Waiting]:
    with runtime.database.transaction() as session:
        rows = session.execute(_first_uploads_query()).all()
        bad = suspect_servers(session)
    return [
        Waiting(
            upload_id=row.id,
            profile_id=row.profile_id,
            account_id=row.account_id,
            since=row.next_at,
            suspect=row.failures > 0 or row.server in bad,
        )
        for row in rows
    ]


@cache
def _first_uploads_query() -> Select[Any]:
    return select_first_media(not_(upload.needs_fetch()))


def select_first_media(condition: ColumnElement[bool]) -> Select[Any]:
    """Each profile's first waiting medium that meets `condition`, where nothing forbids to go on.

    It reads one index entry each, so that long queues cost nothing.
    """
    first = (
        select(AccountMedia.id, AccountMedia.next_at)
        .where(AccountMedia.profile_id == Profile.id)
        .where(AccountMedia.account_id == Profile.account_id)
        .where(AccountMedia.state == "pending", AccountMedia.next_at <= func.now())
        .where(upload.may_start(), condition)
        .order_by(AccountMedia.next_at)
        .limit(1)
        .correlate(Profile)
        .lateral()
    )
    return (
        select(
            first.c.id,
            first.c.next_at,
            Profile.id.label("profile_id"),
            Profile.account_id,
            Account.failures,
            Account.server,
        )
        .join(Account, Account.id == Profile.account_id)
        .join(first, true())
        .where(is_rested(), Account.paused.is_(False), Profile.paused.is_(False))
    )
