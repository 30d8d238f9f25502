"""The audit trail: one row for each change that was made through the HTTP API."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, id_column, now_column


class AuditEntry(Base):
    """Who changed what, from where. It names what it is about, and outlives it."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_actor", "actor_kind", "actor_id", "id"),
        Index("ix_audit_entries_profile_ids", "profile_ids", postgresql_using="gin"),
        Index("ix_audit_entries_at", "at"),
    )

    id: Mapped[int] = id_column()
    at: Mapped[datetime] = now_column()
    actor_kind: Mapped[str]  # key, user
    actor_id: Mapped[int] = mapped_column(BigInteger)
    actor_name: Mapped[str]
    method: Mapped[str]
    route: Mapped[str]
    operation: Mapped[str]
    targets: Mapped[dict[str, Any]]  # ids by kind
    fields: Mapped[list[str]]  # that the request named, without their values
    profile_ids: Mapped[list[str] | None]  # that it is about, None: the whole installation
    address: Mapped[str]
    user_agent: Mapped[str]
    request_id: Mapped[str]
    refused: Mapped[int | None]  # the answer's HTTP status, where only a part was done
