"""Shared by all tables: naming of constraints, column types, and common columns."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    MetaData,
    Text,
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


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012  (declared so by SQLAlchemy)
        datetime: DateTime(timezone=True),
        str: Text(),
        dict[str, Any]: JSONB(),
        list[str]: ARRAY(Text()),
        list[int]: ARRAY(BigInteger()),
    }


def id_column() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(), primary_key=True)


def is_id(text: str) -> bool:
    """Whether `text` has the form of our ids: a number that fits into PostgreSQL's bigint."""
    plain = text.isascii() and text.isdigit() and not text.startswith("0")
    return plain and len(text) <= 19 and int(text) < 2**63


def now_column() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


def flag_column() -> Mapped[bool]:
    return mapped_column(default=False, server_default=text("false"))


def count_column() -> Mapped[int]:
    return mapped_column(default=0, server_default=text("0"))
