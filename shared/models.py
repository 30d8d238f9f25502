"""The tables. PostgreSQL holds the truth; everything else is a wake-up or a cache."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


#: Of a post: it was accepted for a time of its own, and not to go out as soon as it can.
TIMED = "publish_at - created_at > interval '1 minute'"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012  (declared so by SQLAlchemy)
        datetime: DateTime(timezone=True),
        str: Text(),
        dict[str, Any]: JSONB(),
        list[str]: ARRAY(Text()),
        list[int]: ARRAY(BigInteger()),
    }


def _id() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(), primary_key=True)


def _now() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


def _flag() -> Mapped[bool]:
    return mapped_column(default=False, server_default=text("false"))


def _count() -> Mapped[int]:
    return mapped_column(default=0, server_default=text("0"))


class Profile(Base):
    """A brand, client or channel: whose credentials. `tts_settings.postiz.api_key` is encrypted."""

    __tablename__ = "profiles"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    tts_settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    settings_version: Mapped[int] = mapped_column(BigInteger, default=1, server_default=text("1"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    key_hash: Mapped[str | None]  # of the key that `account_id` was found with
    paused: Mapped[bool] = _flag()
    deleting_since: Mapped[datetime | None]  # it takes nothing new, and goes batch by batch
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()


class Account(Base):
    """A Postiz organization: what is counted, limited, held and leased."""

    __tablename__ = "accounts"

    id: Mapped[int] = _id()
    server: Mapped[str]  # where Postiz is, without the path of its API: what writes are paced by
    base_url: Mapped[str | None]  # the detected base path, None until known
    key_hash: Mapped[str] = mapped_column(index=True)  # of the key seen last
    integrations_seen_at: Mapped[datetime | None]

    budget_limit: Mapped[int | None]  # counted calls in a window, None until Postiz told
    budget_used: Mapped[int] = _count()
    window_ends_at: Mapped[datetime | None]
    blocked_until: Mapped[datetime | None]
    limit_override: Mapped[int | None]  # at most so many calls in a window, whatever Postiz allows
    budget_reserve: Mapped[int | None]  # calls kept back for parking, None: as many as usual
    rule_overrides: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")

    healthy: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    paused: Mapped[bool] = _flag()
    settle_pause: Mapped[bool | None]  # what `paused` was before `settle` held it, else None
    failures: Mapped[int] = _count()  # transient ones in a row
    retry_at: Mapped[datetime | None]  # no call before then
    probe_at: Mapped[datetime | None]  # when it is seen whether an outage is over: see `retry_at`
    plan_at: Mapped[datetime | None]  # when what is not urgent is planned again

    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()


class Hold(Base):
    """A fact about a key: this account refuses it, until settings with it are saved again."""

    __tablename__ = "holds"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    key_hash: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    message: Mapped[str]
    since: Mapped[datetime] = _now()


class SettingsHold(Base):
    """A fact about a profile's settings of one version: nothing can be sent with them."""

    __tablename__ = "settings_holds"

    profile_id: Mapped[str] = mapped_column(
        ForeignKey("profiles.id", ondelete="CASCADE"), primary_key=True
    )
    settings_version: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    message: Mapped[str]
    since: Mapped[datetime] = _now()
    look_at: Mapped[datetime]  # when it is tried whether they can be used again


class Integration(Base):
    """A connected channel, as Postiz listed it last."""

    __tablename__ = "integrations"
    __table_args__ = (UniqueConstraint("server", "id"), Index("ix_integrations_id", "id"))

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str]
    name: Mapped[str]
    identifier: Mapped[str]
    picture: Mapped[str | None]
    disabled: Mapped[bool] = _flag()
    profile: Mapped[str | None]
    listed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))


class Server(Base):
    """One Postiz server: the pace of writes to it."""

    __tablename__ = "servers"

    server: Mapped[str] = mapped_column(primary_key=True)
    next_write_at: Mapped[datetime] = _now()
    probe_at: Mapped[datetime | None]  # when one of its resting accounts may be read from again


class Media(Base):
    """A stored file of a profile. Once its retention is over the file goes, the row stays."""

    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("profile_id", "sha256"),
        Index("ix_media_used_at", "used_at", postgresql_where=text("removed_at IS NULL")),
        Index(
            "ix_media_going",
            "removed_at",
            postgresql_where=text("removed_at IS NOT NULL AND storage_key IS NOT NULL"),
        ),
        Index("ix_media_storage_key", "storage_key"),
    )

    id: Mapped[int] = _id()
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"))
    sha256: Mapped[str | None] = mapped_column(String(64))  # None until fetched from its URL
    size: Mapped[int | None] = mapped_column(BigInteger)
    mime: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    duration: Mapped[float | None]  # seconds
    codec: Mapped[str | None]
    brand: Mapped[str | None]  # of an MP4's container
    name: Mapped[str | None]
    storage_key: Mapped[str | None]
    source_url: Mapped[str | None]
    used_at: Mapped[datetime] = _now()  # when something last wanted it, or was seen to need it
    removed_at: Mapped[datetime | None]  # from then on nothing may want it
    created_at: Mapped[datetime] = _now()


class AccountMedia(Base):
    """What an account's Postiz calls a medium; the row is the job of uploading it."""

    __tablename__ = "account_media"
    __table_args__ = (
        UniqueConstraint("media_id", "account_id"),
        Index(
            "ix_account_media_waiting",
            "profile_id",
            "next_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_account_media_leased", "lease_until", postgresql_where=text("state = 'uploading'")
        ),
    )

    id: Mapped[int] = _id()
    media_id: Mapped[int] = mapped_column(ForeignKey("media.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"))  # whose key uploads it
    state: Mapped[str] = mapped_column(default="pending")  # pending, uploading, uploaded, failed
    attempts: Mapped[int] = _count()
    next_at: Mapped[datetime] = _now()
    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    postiz_id: Mapped[str | None]
    postiz_path: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    uploaded_at: Mapped[datetime | None]


class Job(Base):
    """One accepted request."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_unfinished", "id", postgresql_where=text("finished_at IS NULL")),
        Index(
            "ix_jobs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")
        ),
        Index(
            "ix_jobs_timeline",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL AND NOT timeline_pruned"),
        ),
    )

    id: Mapped[int] = _id()
    kind: Mapped[str]  # upload, bulk_upload, publish, bulk_publish
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"), index=True)
    state: Mapped[str] = mapped_column(default="queued")
    options: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    handoff: Mapped[str | None]
    external_id: Mapped[str | None]
    paused: Mapped[bool] = _flag()
    total: Mapped[int] = _count()
    timeline_pruned: Mapped[bool] = _flag()
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()
    finished_at: Mapped[datetime | None]


class JobMedia(Base):
    """A medium that an upload job brought."""

    __tablename__ = "job_media"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    account_media_id: Mapped[int] = mapped_column(ForeignKey("account_media.id"), index=True)
    external_id: Mapped[str | None]


class Post(Base):
    """Content for one integration at one time."""

    __tablename__ = "posts"
    __table_args__ = (
        Index(
            "ix_posts_pending",
            "account_id",
            "waits_for",
            "publish_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_posts_pending_profile",
            "profile_id",
            "account_id",
            "waits_for",
            "publish_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_posts_pending_timed",
            "profile_id",
            "account_id",
            "publish_at",
            postgresql_where=text(f"state = 'pending' AND waits_for = '' AND {TIMED}"),
        ),
        Index(
            "ix_posts_staged",
            "profile_id",
            "account_id",
            "waits_for",
            "release_at",
            postgresql_where=text("state = 'staged'"),
        ),
        Index(
            "ix_posts_staged_timed",
            "profile_id",
            "account_id",
            "publish_at",
            postgresql_where=text(f"state = 'staged' AND waits_for = '' AND {TIMED}"),
        ),
        Index("ix_posts_waits_for", "waits_for", postgresql_where=text("waits_for <> ''")),
        Index("ix_posts_aside", "aside_until", postgresql_where=text("waits_for <> ''")),
        Index(
            "ix_posts_unchecked",
            "account_id",
            "publish_at",
            postgresql_where=text("state = 'pending' AND integration_identifier IS NULL"),
        ),
        Index(
            "ix_posts_tracked",
            "account_id",
            "track_at",
            postgresql_where=text("track_at IS NOT NULL"),
            postgresql_include=["state"],
        ),
        Index(
            "ix_posts_leased",
            "lease_until",
            postgresql_where=text("state IN ('staging', 'releasing', 'cancelling')"),
        ),
        Index(
            "ix_posts_late_policy",
            "publish_at",
            postgresql_where=text(
                "late_policy IN ('skip', 'hold') AND state IN ('pending', 'staged')"
            ),
        ),
        Index("ix_posts_integration_id_publish_at", "integration_id", "publish_at"),
        Index("ix_posts_submission_id", "submission_id"),
        Index(
            "ix_posts_held",
            "profile_id",
            "account_id",
            postgresql_where=text("state = 'held'"),
        ),
        Index("ix_posts_failed", "account_id", "id", postgresql_where=text("state = 'failed'")),
        Index("ix_posts_take_back", "id", postgresql_where=text("take_back")),
        Index("ix_posts_in_doubt", "job_id", postgresql_where=text("in_doubt")),
        Index("ix_posts_job_id_state", "job_id", "state"),
        Index("ix_posts_profile_id_id", "profile_id", "id"),
    )

    id: Mapped[int] = _id()
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    position: Mapped[int]  # the row of the request that it came from
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    integration_id: Mapped[str]
    integration_identifier: Mapped[str | None]
    integration_name: Mapped[str | None]
    content: Mapped[str]
    media_ids: Mapped[list[int]] = mapped_column(default=list, server_default="{}")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    publish_at: Mapped[datetime]
    handoff: Mapped[str]  # calendar, staged
    as_draft: Mapped[bool] = _flag()
    external_id: Mapped[str | None]
    late_policy: Mapped[str] = mapped_column(default="publish", server_default="publish")

    state: Mapped[str] = mapped_column(default="pending", server_default="pending")
    attempts: Mapped[int] = _count()  # releases that got it nowhere
    unclear_calls: Mapped[int] = _count()  # in a row, none of which is known to have staged it
    next_at: Mapped[datetime] = _now()  # no claim before then
    waits_for: Mapped[str] = mapped_column(
        default="", server_default=""
    )  # see shared/accounts/waits.py
    aside_until: Mapped[datetime | None]  # what waits for something is looked at then, anyhow
    pack_limit: Mapped[int | None]  # at most so many in one call: halved to find an offender
    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    take_back: Mapped[bool] = _flag()  # a person wants it back once its release is settled

    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    postiz_post_id: Mapped[str | None]
    release_at: Mapped[datetime | None]  # when its draft may be released
    released_at: Mapped[datetime | None]  # when we asked Postiz to
    track_at: Mapped[datetime | None]
    in_doubt: Mapped[bool] = _flag()  # scheduled, and late or failing: its job waits for it
    release_url: Mapped[str | None]
    published_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_hint: Mapped[str | None]
    error_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()


class Submission(Base):
    """One counted call, written down before it is made."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("account_id", "marker_at"),
        Index("ix_submissions_server_sent_at", "server", "sent_at"),
        Index("ix_submissions_open", "sent_at", postgresql_where=text("state = 'sending'")),
        Index("ix_submissions_litter_at", "litter_at"),
        Index("ix_submissions_unclear", "look_at", postgresql_where=text("state = 'unclear'")),
        Index("ix_submissions_sent_at", "sent_at"),
    )

    id: Mapped[int] = _id()
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"))
    server: Mapped[str]
    kind: Mapped[str] = mapped_column(default="stage")  # stage, park
    marker_at: Mapped[datetime]  # its date in Postiz; the millisecond is ours alone
    elements: Mapped[int]
    # sending, staged, rejected; unclear: its window is looked at for what it created, abandoned
    state: Mapped[str] = mapped_column(default="sending")
    sent: Mapped[list[str]] = mapped_column(default=list, server_default="{}")  # fingerprints
    status: Mapped[int | None]  # what Postiz answered
    detail: Mapped[str | None]
    adoptable: Mapped[list[str]] = mapped_column(  # of these, what stands for one content only
        default=list, server_default="{}"
    )
    look_at: Mapped[datetime | None]  # when an unclear one's window is looked at
    may_run_until: Mapped[datetime | None]  # until then its request may still create more
    litter_at: Mapped[datetime | None]  # when an abandoned one is looked at for drafts it left
    litter_tries: Mapped[int] = _count()  # looks after which some of these drafts were still there
    sent_at: Mapped[datetime] = _now()
    replied_at: Mapped[datetime | None]


class Handover(Base):
    """Each id that a post ever had in Postiz, and what became of it: at most one alive per post."""

    __tablename__ = "handovers"
    __table_args__ = (
        Index(
            "uq_handovers_alive", "post_id", unique=True, postgresql_where=text("buried_at IS NULL")
        ),
        Index("ix_handovers_post_id", "post_id"),
        UniqueConstraint("account_id", "postiz_id"),
        Index("ix_handovers_discarded", "id", postgresql_where=text("state = 'discarded'")),
    )

    id: Mapped[int] = _id()
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    postiz_id: Mapped[str]
    marker_at: Mapped[datetime]  # the date under which to find it in Postiz
    #: See shared/domain/publishing/reconciliation.py; in the end: buried, discarded (to be
    #: deleted), left there.
    state: Mapped[str] = mapped_column(default="staged")
    parked_at: Mapped[datetime | None]  # the date in 2099 that it was given
    released_at: Mapped[datetime | None]  # the one status change, ever: when it was sent
    word_at: Mapped[datetime | None]  # when a person said that it was not published
    watched_from: Mapped[datetime | None]  # and since when it was seen to be parked
    release_status: Mapped[int | None]  # what was answered, None while unknown
    buried_at: Mapped[datetime | None]
    buried_why: Mapped[str | None]
    tries: Mapped[int] = _count()  # of the present step: moves to 2099, or deletes
    next_at: Mapped[datetime | None]  # no delete of a discarded one before then
    pack_limit: Mapped[int | None]  # at most so many in one move: halved to find an offender
    to_park_at: Mapped[datetime | None]  # since when it waits to be moved to 2099
    created_at: Mapped[datetime] = _now()


class Event(Base):
    """The timeline: written in the transaction that changes the state."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_post_id_id", "post_id", "id"),
        Index("ix_events_job_id_tx_id", "job_id", "tx", "id"),
    )

    id: Mapped[int] = _id()
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    job_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    event: Mapped[str]
    detail: Mapped[str | None]
    tx: Mapped[int] = mapped_column(  # that wrote it: see shared/jobs/event_feed.py
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )


class Schedule(Base):
    """What is published again and again; enabled while it has a next fire time."""

    __tablename__ = "schedules"
    __table_args__ = (
        Index(
            "ix_schedules_next_fire_at",
            "next_fire_at",
            postgresql_where=text("next_fire_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = _id()
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"), index=True)
    name: Mapped[str]
    cron: Mapped[str]
    timezone: Mapped[str]
    kind: Mapped[str]  # bulk, playlist
    body: Mapped[dict[str, Any]]  # as it was sent
    items: Mapped[int]  # rows of the bulk, or media of the playlist
    media_ids: Mapped[list[int]]  # that it may still need
    position: Mapped[int] = _count()  # media of the playlist that have had their turn
    ended: Mapped[bool] = _flag()  # a playlist that has been played
    misfire_grace_seconds: Mapped[int]
    next_fire_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()


class ScheduleRun(Base):
    """What became of a fire time: at most one row for each, whoever finds it due."""

    __tablename__ = "schedule_runs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "fire_at"),
        Index("ix_schedule_runs_schedule_id_id", "schedule_id", "id"),
        Index("ix_schedule_runs_created_at", "created_at"),
    )

    id: Mapped[int] = _id()
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    fire_at: Mapped[datetime]
    state: Mapped[str]  # started, missed, failed
    by_hand: Mapped[bool] = _flag()
    fire_times: Mapped[int | None]  # that this row stands for, None for very many
    until: Mapped[datetime | None]  # they all lie before it, where it stands for more than one
    job_id: Mapped[int | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = _now()


class ApiKey(Base):
    """A key for the HTTP API; only its hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[int] = _id()
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    profile_ids: Mapped[list[str] | None]
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()


class IdempotencyKey(Base):
    """The answer that a repeated request gets again; the body is encrypted."""

    __tablename__ = "idempotency_keys"

    api_key_id: Mapped[int] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class Pulse(Base):
    """Which of our processes was seen when."""

    __tablename__ = "pulses"

    name: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = _now()


class Webhook(Base):
    """Where somebody wants to be told of events; the secrets are encrypted."""

    __tablename__ = "webhooks"

    id: Mapped[int] = _id()
    url: Mapped[str]
    events: Mapped[list[str]]
    profile_ids: Mapped[list[str] | None]  # whose events, None: everybody's
    secret: Mapped[str]
    old_secrets: Mapped[list[dict[str, Any]]] = mapped_column(  # {"secret", "until"}, still valid
        JSONB(), default=list, server_default="[]"
    )
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    failures: Mapped[int] = _count()  # attempts in a row
    failing_since: Mapped[datetime | None]  # the first of these
    retry_at: Mapped[datetime | None]  # no attempt before then
    created_at: Mapped[datetime] = _now()
    updated_at: Mapped[datetime] = _now()


class Delivery(Base):
    """An event that a webhook is to be told of: written in the transaction that makes it so."""

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

    id: Mapped[int] = _id()
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    message_id: Mapped[str]  # of the event, the same in every attempt and for every webhook
    event: Mapped[str]
    profile_ids: Mapped[list[str]]  # whom it is about
    data: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(default="pending", server_default="pending")
    attempts: Mapped[int] = _count()
    next_at: Mapped[datetime] = _now()  # of a claimed one: when its claim is over
    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    tried: Mapped[list[dict[str, Any]]] = mapped_column(  # what became of each attempt
        JSONB(), default=list, server_default="[]"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    delivered_at: Mapped[datetime | None]
