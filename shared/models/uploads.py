"""Uploads that take more than one request, until each is a medium."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, id_column, now_column


class IncomingUpload(Base):
    """A file that is sent over several requests, or straight into a bucket.

    It stays for a while after it has become a medium, so that a client whose last answer was lost
    can ask for it.
    """

    __tablename__ = "incoming_uploads"
    __table_args__ = (
        Index("ix_incoming_uploads_expires_at", "expires_at"),
        Index(
            "ix_incoming_uploads_open",
            "profile_id",
            postgresql_where=text("finished_at IS NULL"),
            postgresql_include=["size"],
        ),
        Index("ix_incoming_uploads_profile_id", "profile_id"),
    )

    id: Mapped[int] = id_column()
    profile_id: Mapped[str] = mapped_column(ForeignKey("profiles.id"))
    kind: Mapped[str]  # resumable, direct
    owner: Mapped[str] = mapped_column(unique=True)  # whose bytes they are in the storage
    size: Mapped[int] = mapped_column(BigInteger)  # bytes, as declared
    name: Mapped[str | None]
    external_id: Mapped[str | None]
    tus_metadata: Mapped[str | None]  # of a resumable one: as its client sent it
    sha256: Mapped[str | None] = mapped_column(String(64))  # of a direct one: as declared
    mime: Mapped[str | None]  # the same
    remote_id: Mapped[str | None]  # of a direct one: the bucket's id of it
    #: Of a resumable one: the names of its pieces, in order; all but the last have the same size
    pieces: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    received: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    claim: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    holder: Mapped[int | None] = mapped_column(BigInteger)  # the lock of the claiming process
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    media_id: Mapped[int | None] = mapped_column(BigInteger)  # it may be deleted before
    job_id: Mapped[int | None] = mapped_column(BigInteger)  # the same
    created_at: Mapped[datetime] = now_column()
