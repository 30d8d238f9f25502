"""Profiles, the accounts that they use, and holds on keys and settings."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, count_column, flag_column, id_column, now_column


class Profile(Base):
    """A brand, client or channel and its settings. `tts_settings.postiz.api_key` is encrypted."""

    __tablename__ = "profiles"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    tts_settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    #: Never the same again for one id, not even of a profile that was deleted and made anew
    settings_version: Mapped[int] = mapped_column(BigInteger, default=1, server_default=text("1"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    key_hash: Mapped[str | None]  # of the key that `account_id` was found with
    environment_allowed: Mapped[bool] = flag_column()  # without own credentials, the operator's
    quotas: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")  # its own
    duplicate_window_hours: Mapped[int] = mapped_column(default=24, server_default=text("24"))
    paused: Mapped[bool] = flag_column()
    requires_approval: Mapped[bool] = flag_column()  # of all posts that are accepted for it
    deleting_since: Mapped[datetime | None]  # accepts nothing new; its rows are deleted in batches
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class Account(Base):
    """A Postiz organization: budgets, limits, holds and leases are per account."""

    __tablename__ = "accounts"

    id: Mapped[int] = id_column()
    server: Mapped[str]  # Postiz's address without the API path; writes are paced per server
    base_url: Mapped[str | None]  # with the detected path of the API, None until known
    key_hash: Mapped[str] = mapped_column(index=True)  # of the most recently used key
    integrations_seen_at: Mapped[datetime | None]

    budget_limit: Mapped[int | None]  # counted calls in a window, None until Postiz reports it
    budget_used: Mapped[int] = count_column()
    window_ends_at: Mapped[datetime | None]
    blocked_until: Mapped[datetime | None]
    limit_override: Mapped[int | None]  # the owner's limit, beside that of Postiz
    budget_reserve: Mapped[int | None]  # calls kept for parking, None: the default number
    rule_overrides: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")

    healthy: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    paused: Mapped[bool] = flag_column()
    settle_pause: Mapped[bool | None]  # `paused` before `settle` set it, else None
    failures: Mapped[int] = count_column()  # transient failures in a row
    retry_at: Mapped[datetime | None]  # no call before this time
    probe_at: Mapped[datetime | None]  # next check whether an outage is over
    plan_at: Mapped[datetime | None]  # when posts that are not urgent are planned again

    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()


class Hold(Base):
    """A key that this account refuses, until settings with this key are saved again."""

    __tablename__ = "holds"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    key_hash: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    message: Mapped[str]
    since: Mapped[datetime] = now_column()


class SettingsHold(Base):
    """A version of a profile's settings that cannot be used: nothing is sent with it."""

    __tablename__ = "settings_holds"

    profile_id: Mapped[str] = mapped_column(
        ForeignKey("profiles.id", ondelete="CASCADE"), primary_key=True
    )
    settings_version: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    message: Mapped[str]
    since: Mapped[datetime] = now_column()
    look_at: Mapped[datetime]  # when the settings are tried again


class Integration(Base):
    """A connected channel, as Postiz last listed it."""

    __tablename__ = "integrations"
    __table_args__ = (
        UniqueConstraint("server", "id"),
        Index("ix_integrations_id", "id"),
        Index("ix_integrations_not_ready", "trial_at", postgresql_where=text("state <> 'ready'")),
        Index("ix_integrations_untold", "id", postgresql_where=text("state <> told_state")),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str]
    name: Mapped[str]
    identifier: Mapped[str]
    picture: Mapped[str | None]
    disabled: Mapped[bool] = flag_column()
    profile: Mapped[str | None]
    listed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    state: Mapped[str] = mapped_column(default="ready", server_default="ready")
    state_since: Mapped[datetime | None]
    state_reason: Mapped[str | None]  # in words, of a channel that is not ready
    told_state: Mapped[str] = mapped_column(default="ready", server_default="ready")  # to webhooks
    trial_at: Mapped[datetime | None]  # when one of the posts that wait for it is tried
    trials: Mapped[int] = count_column()


class Server(Base):
    """A Postiz server: the pace of writes and of probes to it."""

    __tablename__ = "servers"

    server: Mapped[str] = mapped_column(primary_key=True)
    next_write_at: Mapped[datetime] = now_column()
    probe_at: Mapped[datetime | None]  # no probe of an account of this server before this time
    stalled_since: Mapped[datetime | None]  # nothing is released there until it publishes again
