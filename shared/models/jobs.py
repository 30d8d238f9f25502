"""Jobs: one for each accepted request."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, count_column, flag_column, id_column, now_column

#: What people look for among a job for each upload.
_PUBLISHING = "kind IN ('publish', 'bulk_publish')"


class Job(Base):
    """One accepted request."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_unfinished", "id", postgresql_where=text("finished_at IS NULL")),
        Index(
            "ix_jobs_unfinished_profile",
            "profile_id",
            postgresql_where=text("finished_at IS NULL"),
            postgresql_include=["total"],
        ),
        Index(
            "ix_jobs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")
        ),
        Index("ix_jobs_publishing", "id", postgresql_where=text(_PUBLISHING)),
        Index("ix_jobs_publishing_profile", "profile_id", "id", postgresql_where=text(_PUBLISHING)),
        Index(
            "ix_jobs_timeline",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL AND NOT timeline_pruned"),
        ),
    )

    id: Mapped[int] = id_column()
    kind: Mapped[str]  # upload, bulk_upload, publish, bulk_publish
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"), index=True)
    state: Mapped[str] = mapped_column(default="queued")
    options: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    handoff: Mapped[str | None]
    external_id: Mapped[str | None]
    paused: Mapped[bool] = flag_column()
    total: Mapped[int] = count_column()
    timeline_pruned: Mapped[bool] = flag_column()
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()
    finished_at: Mapped[datetime | None]


class JobMedia(Base):
    """A medium of an upload job."""

    __tablename__ = "job_media"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    account_media_id: Mapped[int] = mapped_column(ForeignKey("account_media.id"), index=True)
    external_id: Mapped[str | None]
