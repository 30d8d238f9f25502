"""Schedules, and their runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, count_column, flag_column, id_column, now_column


class Schedule(Base):
    """A bulk or playlist that is published repeatedly; enabled while it has a next fire time."""

    __tablename__ = "schedules"
    __table_args__ = (
        Index(
            "ix_schedules_next_fire_at",
            "next_fire_at",
            postgresql_where=text("next_fire_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = id_column()
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"), index=True)
    name: Mapped[str]
    cron: Mapped[str]
    timezone: Mapped[str]
    kind: Mapped[str]  # bulk, playlist
    body: Mapped[dict[str, Any]]  # as the client sent it
    items: Mapped[int]  # rows of the bulk, or media of the playlist
    media_ids: Mapped[list[int]]  # the media that it may still publish
    position: Mapped[int] = count_column()  # how many media of the playlist were published
    ended: Mapped[bool] = flag_column()  # the playlist has reached its end
    until: Mapped[datetime | None]  # of a playlist: nothing is published after this time
    runs_left: Mapped[int | None]  # of a playlist with a maximum of runs
    misfire_grace_seconds: Mapped[int]
    next_fire_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class ScheduleRun(Base):
    """The result of a fire time: at most one row for each, however many workers find it due."""

    __tablename__ = "schedule_runs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "fire_at"),
        Index("ix_schedule_runs_schedule_id_id", "schedule_id", "id"),
        Index("ix_schedule_runs_created_at", "created_at"),
    )

    id: Mapped[int] = id_column()
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    fire_at: Mapped[datetime]
    state: Mapped[str]  # started, missed, failed, nothing_due
    by_hand: Mapped[bool] = flag_column()
    fire_times: Mapped[int | None]  # number of fire times in this row, None for very many
    until: Mapped[datetime | None]  # end of these fire times, if there are several
    job_id: Mapped[int | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()
