"""A warning: its text, and the rows that it is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.networks.limits import Limit


@dataclass(frozen=True, kw_only=True)
class WarningText:
    """`source`, `confidence`: of the limit that it is about."""

    code: str
    message: str
    remedy: str
    source: str | None = None
    confidence: str | None = None


@dataclass(frozen=True, kw_only=True)
class RowWarning:
    """`indexes`: the rows' numbers, in order."""

    said: WarningText
    indexes: Sequence[int]


def limit_warning(limit: Limit, *, code: str, message: str, remedy: str) -> WarningText:
    return WarningText(
        code=code,
        message=message,
        remedy=f"{remedy} If you know better, override it: docs/NETWORKS.md.",
        source=limit.source.name,
        confidence=limit.source.confidence.value,
    )
