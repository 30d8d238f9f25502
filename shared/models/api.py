"""Tables of the HTTP API: its keys, and the answers to repeated requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, flag_column, id_column, now_column


class ApiKey(Base):
    """A key for the HTTP API; only its hash is stored."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("cardinality(profile_ids) > 0", name="ck_api_keys_bound"),)

    id: Mapped[int] = id_column()
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    profile_ids: Mapped[list[str] | None]  # that it is bound to, None: it reaches all
    scopes: Mapped[list[str]]
    requires_approval: Mapped[bool] = flag_column()  # of all posts that are accepted from it
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]  # to within minutes
    created_at: Mapped[datetime] = now_column()


class RetiredKey(Base):
    """What a key was before it was rotated: it opens the same doors until then."""

    __tablename__ = "retired_keys"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    api_key_id: Mapped[int] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), index=True
    )
    valid_until: Mapped[datetime]


class KeySession(Base):
    """A browser that a key has signed in; only the hash of its token is stored.

    `key_hash`: of what was given, so that a session of a key that was rotated ends with it.
    """

    __tablename__ = "key_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    api_key_id: Mapped[int] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), index=True
    )
    key_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = now_column()
    last_used_at: Mapped[datetime] = now_column()  # to within a minute
    ends_at: Mapped[datetime]


class IdempotencyKey(Base):
    """The answer that a repeated request gets again; the body is encrypted.

    `caller`: the key or user that asked, such as `key 7` or `user 3`. `status`: 0 while a request
    that may be continued is not answered.
    """

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class RequestedEdit(Base):
    """A post that a request for many has edited; the request may be repeated, and goes on then."""

    __tablename__ = "requested_edits"
    __table_args__ = (
        ForeignKeyConstraint(
            ["caller", "key"],
            ["idempotency_keys.caller", "idempotency_keys.key"],
            ondelete="CASCADE",
            name="fk_requested_edits_caller_key",
        ),
    )

    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class AgentPlan(Base):
    """A bulk that a caller was shown as a plan, and may publish by the plan's id until it expires.

    What was published is known by the idempotency key that is made of the id.
    """

    __tablename__ = "agent_plans"
    __table_args__ = (Index("ix_agent_plans_caller", "caller", "expires_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    caller: Mapped[str]
    profile_id: Mapped[str] = mapped_column(
        String(64), ForeignKey("profiles.id", ondelete="CASCADE"), index=True
    )
    body: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
