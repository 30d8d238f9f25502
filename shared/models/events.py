"""The timeline of posts."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, id_column


class Event(Base):
    """An entry of a post's timeline, written in the transaction that changes the state."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_post_id_id", "post_id", "id"),
        Index("ix_events_job_id_tx_id", "job_id", "tx", "id"),
    )

    id: Mapped[int] = id_column()
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    job_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    event: Mapped[str]
    detail: Mapped[str | None]
    tx: Mapped[int] = mapped_column(  # transaction id: see shared/jobs/event_feed.py
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )
