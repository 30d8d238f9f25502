"""Media, and the accounts that each is uploaded to."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, count_column, id_column, now_column


class Media(Base):
    """A stored file of a profile. After its retention the file is deleted and the row stays."""

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
        Index("ix_media_listed", "profile_id", "id", postgresql_where=text("removed_at IS NULL")),
        Index(
            "ix_media_kept",
            "profile_id",
            postgresql_where=text("storage_key IS NOT NULL AND sha256 IS NOT NULL"),
            postgresql_include=["size"],
        ),
    )

    id: Mapped[int] = id_column()
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
    #: When a request last named it, or a check found that it is needed
    used_at: Mapped[datetime] = now_column()
    removed_at: Mapped[datetime | None]  # from this time on no request may use it
    created_at: Mapped[datetime] = now_column()


class AccountMedia(Base):
    """A medium's id and path in an account's Postiz; a pending row is an upload to do."""

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

    id: Mapped[int] = id_column()
    media_id: Mapped[int] = mapped_column(ForeignKey("media.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"))  # whose key uploads it
    state: Mapped[str] = mapped_column(default="pending")  # pending, uploading, uploaded, failed
    attempts: Mapped[int] = count_column()
    next_at: Mapped[datetime] = now_column()
    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    postiz_id: Mapped[str | None]
    postiz_path: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    uploaded_at: Mapped[datetime | None]
