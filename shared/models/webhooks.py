"""Webhooks, and the events that they receive."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, count_column, id_column, now_column


class Webhook(Base):
    """An address that receives events; the secrets are encrypted."""

    __tablename__ = "webhooks"
    __table_args__ = (CheckConstraint("cardinality(profile_ids) > 0", name="ck_webhooks_bound"),)

    id: Mapped[int] = id_column()
    url: Mapped[str]
    events: Mapped[list[str]]
    profile_ids: Mapped[list[str] | None]  # whose events, None: those of all profiles
    secret: Mapped[str]
    old_secrets: Mapped[list[dict[str, Any]]] = mapped_column(  # {"secret", "until"}, still valid
        JSONB(), default=list, server_default="[]"
    )
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    failures: Mapped[int] = count_column()  # failed attempts in a row
    failing_since: Mapped[datetime | None]  # time of the first of these
    retry_at: Mapped[datetime | None]  # no attempt before this time
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class Delivery(Base):
    """An event for a webhook, written in the transaction that causes the event."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "ix_deliveries_due",
            "webhook_id",
            "next_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_deliveries_ended", "created_at", postgresql_where=text("state <> 'pending'")),
    )

    id: Mapped[int] = id_column()
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    message_id: Mapped[str]  # of the event: the same in all attempts, for all webhooks
    event: Mapped[str]
    profile_ids: Mapped[list[str]]  # the profiles that the event is about
    data: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(default="pending", server_default="pending")
    attempts: Mapped[int] = count_column()
    next_at: Mapped[datetime] = now_column()  # of a claimed delivery: when its claim ends
    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    tried: Mapped[list[dict[str, Any]]] = mapped_column(  # the result of each attempt
        JSONB(), default=list, server_default="[]"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    delivered_at: Mapped[datetime | None]
