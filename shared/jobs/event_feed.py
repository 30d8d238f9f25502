"""A job's events, in an order in which no event can appear before one that was already read.

`events.id` is assigned before the commit, so a reader that has seen 10 may have missed 9. So events
are read in the order of (transaction, id), and only those of transactions older than all that are
still running: nothing can be committed before them any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, select, tuple_, update
from sqlalchemy.orm import Session

from shared.models import Event, Post

AT_ONCE = 500


@dataclass(frozen=True)
class Place:
    """The event after which a reader continues."""

    tx: int = -1
    id: int = -1

    def __str__(self) -> str:
        return f"{self.tx}-{self.id}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """`state`: of the post now, which may be later than this event's."""

    place: Place
    post_id: int
    at: datetime
    event: str
    detail: str | None
    state: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """`all_there_is`: the job has no other committed events, readable now or not."""

    entries: Sequence[Entry]
    all_there_is: bool


def newest_place(session: Session, job_id: int) -> Place:
    """Behind all events that can be read now: who goes on from there misses none."""
    certain = Event.tx < _xid_number(func.pg_snapshot_xmin(func.pg_current_snapshot()))
    newest = select(Event.tx, Event.id).where(Event.job_id == job_id, certain)
    row = session.execute(newest.order_by(Event.tx.desc(), Event.id.desc()).limit(1)).one_or_none()
    return Place() if row is None else Place(*row)


def read_events(session: Session, job_id: int, behind: Place) -> Part:
    certain = Event.tx < _xid_number(func.pg_snapshot_xmin(func.pg_current_snapshot()))
    rows = session.execute(
        select(Event, Post.state, certain.label("certain"))
        .join(Post, Post.id == Event.post_id)
        .where(Event.job_id == job_id, tuple_(Event.tx, Event.id) > tuple_(behind.tx, behind.id))
        .order_by(Event.tx, Event.id)
        .limit(AT_ONCE)
    ).all()
    found = [
        Entry(
            place=Place(event.tx, event.id),
            post_id=event.post_id,
            at=event.at,
            event=event.event,
            detail=event.detail,
            state=state,
        )
        for event, state, is_certain in rows
        if is_certain  # older events come first, so those that are not certain are at the end
    ]
    return Part(entries=found, all_there_is=len(found) == len(rows) < AT_ONCE)


def place_of(session: Session, job_id: int, text: str) -> Place | None:
    """The place of a reader, from the text that it was given; None for any other text."""
    tx, _, number = text.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (tx, number)):
        return None
    # after a restore into another server, its transaction has another number
    present = select(Event.tx).where(Event.id == int(number), Event.job_id == job_id)
    now = session.scalar(present)
    return Place(int(tx) if now is None else now, int(number))


def mark_restored_events(session: Session) -> None:
    """Put events that another server wrote before all that this server writes."""
    ours = _xid_number(func.pg_current_xact_id())
    session.execute(update(Event).where(Event.tx >= ours).values(tx=0))


def _xid_number(xid: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(xid, Text), BigInteger)
