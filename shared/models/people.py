"""Tables of people who sign in: users, their sessions, and links that work once."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, count_column, flag_column, id_column, now_column


class User(Base):
    """A person. `profile_ids`: that they are bound to; None: all; empty: none that is left."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="ck_users_email"),
        CheckConstraint(
            "role IN ('viewer', 'publisher', 'manager', 'admin')", name="ck_users_role"
        ),
    )

    id: Mapped[int] = id_column()
    email: Mapped[str] = mapped_column(unique=True)  # in small letters
    name: Mapped[str]
    role: Mapped[str]
    profile_ids: Mapped[list[str] | None]
    disabled: Mapped[bool] = flag_column()
    password_hash: Mapped[str | None]  # argon2
    oidc_subject: Mapped[str | None] = mapped_column(unique=True)  # a hash of issuer and subject
    totp_secret: Mapped[str | None]  # encrypted; there once a code has confirmed it
    totp_step: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # last used
    recovery_hashes: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    failures: Mapped[int] = count_column()  # attempts since the last success
    next_attempt_at: Mapped[datetime] = now_column()
    code_failures: Mapped[int] = count_column()  # of those, at the second factor
    next_code_at: Mapped[datetime] = now_column()
    last_signed_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now_column()

    @property
    def has_second_factor(self) -> bool:
        return self.totp_secret is not None


class UserSession(Base):
    """A browser that is signed in; only the hash of its token is stored."""

    __tablename__ = "user_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    second_factor: Mapped[bool] = flag_column()  # whether it was given
    created_at: Mapped[datetime] = now_column()
    last_used_at: Mapped[datetime] = now_column()  # to within a minute
    ends_at: Mapped[datetime]


class OneTimeLink(Base):
    """Sets a password once; without a user it makes the first admin. Only its hash is stored."""

    __tablename__ = "one_time_links"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    valid_until: Mapped[datetime]
