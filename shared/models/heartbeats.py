"""Heartbeats: which processes are alive."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, now_column


class Pulse(Base):
    """When a process last reported that it is alive."""

    __tablename__ = "pulses"

    name: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = now_column()
