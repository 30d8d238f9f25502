"""A post's id in Postiz that is alive: at most one at a time, until it is retired."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, update
from sqlalchemy.orm import Session

from shared.models import Handover, Post


def is_alive() -> ColumnElement[bool]:
    """Whether the `Handover` of the enclosing query has not been retired."""
    return Handover.buried_at.is_(None)


def is_alive_of_post() -> ColumnElement[bool]:
    """Joins a post with its alive id in Postiz, if it has one."""
    return and_(Handover.post_id == Post.id, is_alive())


def update_alive(session: Session, post_ids: Collection[int], **values: object) -> None:
    """Change the alive handovers of these posts."""
    alive = update(Handover).where(Handover.post_id.in_(post_ids), is_alive())
    session.execute(alive.values(values))
