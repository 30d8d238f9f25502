"""Links with a token that need no key: to approve posts, and to read a calendar."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, count_column, id_column, now_column


class ApprovalLink(Base):
    """Whoever has it approves or rejects the posts of one job; only its hash is stored."""

    __tablename__ = "approval_links"

    id: Mapped[int] = id_column()
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"), index=True)
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    opened: Mapped[int] = count_column()  # how often its page was shown
    decided: Mapped[int] = count_column()  # posts that were approved or rejected with it
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()


class CalendarLink(Base):
    """Whoever has it reads a calendar of posts; only its hash is stored.

    `profile_ids`: whose posts, None: those of all. With `user_id`, of these only those that the
    person sees at the moment.
    """

    __tablename__ = "calendar_links"
    __table_args__ = (
        CheckConstraint("cardinality(profile_ids) > 0", name="ck_calendar_links_bound"),
    )

    id: Mapped[int] = id_column()
    name: Mapped[str]
    profile_ids: Mapped[list[str] | None]
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None]  # when the key that made it ends
    read: Mapped[int] = count_column()
    last_read_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()
