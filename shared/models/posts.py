"""Posts, the calls that carry them, and their ids in Postiz."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, count_column, flag_column, id_column, now_column

#: SQL: the post was accepted for a later time, and is not to be published as soon as possible.
TIMED = "publish_at - created_at > interval '1 minute'"


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
        Index(
            "ix_posts_in_calendar",
            "profile_id",
            "account_id",
            "publish_at",
            postgresql_where=text("state = 'scheduled' AND handoff = 'calendar'"),
        ),
        Index("ix_posts_waits_for", "waits_for", postgresql_where=text("waits_for <> ''")),
        Index("ix_posts_aside", "aside_until", postgresql_where=text("waits_for <> ''")),
        Index(
            "ix_posts_unchecked",
            "account_id",
            "publish_at",
            postgresql_where=text(
                "state IN ('pending', 'waiting_approval') AND integration_identifier IS NULL"
            ),
        ),
        Index(
            "ix_posts_waiting_approval",
            "account_id",
            postgresql_where=text("state = 'waiting_approval'"),
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
            postgresql_where=text(
                "state IN ('staging', 'releasing', 'cancelling', 'rescheduling')"
            ),
        ),
        Index(
            "ix_posts_late_policy",
            "publish_at",
            postgresql_where=text(
                "late_policy IN ('skip', 'hold')"
                " AND state IN ('pending', 'staged', 'waiting_approval')"
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
        Index(
            "ix_posts_overdue",
            "account_id",
            postgresql_where=text("state = 'scheduled' AND error_code = 'overdue_in_postiz'"),
        ),
        Index(
            "ix_posts_published",
            "account_id",
            "published_at",
            postgresql_where=text("published_at IS NOT NULL"),
        ),
        Index("ix_posts_edit", "id", postgresql_where=text("edit IS NOT NULL")),
        Index("ix_posts_take_back", "id", postgresql_where=text("take_back")),
        Index("ix_posts_in_doubt", "job_id", postgresql_where=text("in_doubt")),
        Index("ix_posts_job_id_state", "job_id", "state"),
        Index("ix_posts_profile_id_id", "profile_id", "id"),
        Index("ix_posts_state_id", "state", "id"),
        Index(
            "ix_posts_profile_id_publish_at",
            "profile_id",
            "publish_at",
            postgresql_include=["state"],
        ),
        Index(
            "ix_posts_error_code_id",
            "error_code",
            "id",
            postgresql_where=text("error_code IS NOT NULL"),
        ),
        Index("ix_posts_failed_error_at", "error_at", postgresql_where=text("state = 'failed'")),
    )

    id: Mapped[int] = id_column()
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
    #: What is published under it: `content`, `media_ids` and `delay_minutes` of each part
    thread: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default="[]")
    publish_at: Mapped[datetime]
    handoff: Mapped[str]  # calendar, staged
    as_draft: Mapped[bool] = flag_column()
    external_id: Mapped[str | None]
    late_policy: Mapped[str] = mapped_column(default="publish", server_default="publish")

    state: Mapped[str] = mapped_column(default="pending", server_default="pending")
    attempts: Mapped[int] = count_column()  # releases that did not publish it
    #: Calls in a row with an unknown outcome: none is known to have staged it
    unclear_calls: Mapped[int] = count_column()
    next_at: Mapped[datetime] = now_column()  # no claim before this time
    #: See shared/accounts/waits.py
    waits_for: Mapped[str] = mapped_column(default="", server_default="")
    aside_until: Mapped[datetime | None]  # a waiting post is checked again at this time
    pack_limit: Mapped[int | None]  # maximum posts in one call: halved to find a refused one
    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    take_back: Mapped[bool] = flag_column()  # cancel it as soon as its release has ended
    revision: Mapped[int] = mapped_column(default=1, server_default=text("1"))  # + 1 by each edit
    requires_approval: Mapped[bool] = flag_column()  # it goes out only as a person approved it
    approved_revision: Mapped[int | None]  # see shared/posts/approval.py
    #: New values that wait until a call that carries the old ones has ended (shared/posts/edits.py)
    edit: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    postiz_post_id: Mapped[str | None]
    release_at: Mapped[datetime | None]  # when its draft may be released
    released_at: Mapped[datetime | None]  # when Postiz was asked to
    track_at: Mapped[datetime | None]
    in_doubt: Mapped[bool] = flag_column()  # scheduled, but late or failing: its job stays open
    release_url: Mapped[str | None]
    published_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_hint: Mapped[str | None]
    error_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class Submission(Base):
    """One counted call, written before it is made."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("account_id", "marker_at"),
        Index("ix_submissions_server_sent_at", "server", "sent_at"),
        Index("ix_submissions_open", "sent_at", postgresql_where=text("state = 'sending'")),
        Index("ix_submissions_litter_at", "litter_at"),
        Index("ix_submissions_unclear", "look_at", postgresql_where=text("state = 'unclear'")),
        Index("ix_submissions_sent_at", "sent_at"),
    )

    id: Mapped[int] = id_column()
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"))
    server: Mapped[str]
    kind: Mapped[str] = mapped_column(default="stage")  # stage, park
    marker_at: Mapped[datetime]  # its date in Postiz; unique by its milliseconds
    elements: Mapped[int]
    # sending, staged, rejected, abandoned; unclear: Postiz is searched for what the call created
    state: Mapped[str] = mapped_column(default="sending")
    sent: Mapped[list[str]] = mapped_column(default=list, server_default="{}")  # fingerprints
    status: Mapped[int | None]  # HTTP status of Postiz's answer
    detail: Mapped[str | None]
    adoptable: Mapped[list[str]] = mapped_column(  # those of `sent` that only one content has
        default=list, server_default="{}"
    )
    look_at: Mapped[datetime | None]  # when Postiz is searched for an unclear call's drafts
    may_run_until: Mapped[datetime | None]  # until this time the request may still create drafts
    litter_at: Mapped[datetime | None]  # when an abandoned call's drafts are searched
    #: Searches after which some of these drafts still existed
    litter_tries: Mapped[int] = count_column()
    sent_at: Mapped[datetime] = now_column()
    replied_at: Mapped[datetime | None]


class Handover(Base):
    """An id that a post has or had in Postiz, and its end: at most one per post is alive."""

    __tablename__ = "handovers"
    __table_args__ = (
        Index(
            "uq_handovers_alive", "post_id", unique=True, postgresql_where=text("buried_at IS NULL")
        ),
        Index("ix_handovers_post_id", "post_id"),
        UniqueConstraint("account_id", "postiz_id"),
        Index("ix_handovers_discarded", "id", postgresql_where=text("state = 'discarded'")),
    )

    id: Mapped[int] = id_column()
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    postiz_id: Mapped[str]
    marker_at: Mapped[datetime]  # the date with which Postiz lists it
    #: See shared/domain/publishing/reconciliation.py. Final states: buried (retired), discarded
    #: (to be deleted in Postiz), left (stays in Postiz).
    state: Mapped[str] = mapped_column(default="staged")
    parked_at: Mapped[datetime | None]  # the date in 2099 that it was given
    released_at: Mapped[datetime | None]  # when the one status change was sent
    word_at: Mapped[datetime | None]  # when a person confirmed that it was not published
    watched_from: Mapped[datetime | None]  # the first time that it was seen parked after that
    release_status: Mapped[int | None]  # HTTP status of the answer, None while unknown
    buried_at: Mapped[datetime | None]
    buried_why: Mapped[str | None]
    tries: Mapped[int] = count_column()  # attempts of the current step: move to 2099, or delete
    next_at: Mapped[datetime | None]  # no delete of a discarded one before this time
    pack_limit: Mapped[int | None]  # maximum in one move: halved to find a refused one
    to_park_at: Mapped[datetime | None]  # since when it has been waiting to be moved to 2099
    created_at: Mapped[datetime] = now_column()

    @property
    def markers(self) -> tuple[datetime, ...]:
        """The dates with which Postiz may list it."""
        return (self.marker_at,) if self.parked_at is None else (self.marker_at, self.parked_at)
