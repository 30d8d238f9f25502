"""The zone of whoever reads a page: `?tz=`, which the pages' scripts fill in."""

from zoneinfo import ZoneInfo

from flask import request

UTC = "UTC"
_LONGEST = 100


def read_zone() -> ZoneInfo:
    """UTC where none is named, or one that there is not."""
    return _find_zone(request.args.get("tz") or UTC) or ZoneInfo(UTC)


def unknown_zone() -> str:
    """What was named as a zone and is none; empty where all is well."""
    named = request.args.get("tz", "")[:_LONGEST]
    return "" if not named or _find_zone(named) else named


def _find_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
