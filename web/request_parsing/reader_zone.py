"""The zone of whoever reads a page: `?tz=`, which the pages' scripts fill in."""

from zoneinfo import ZoneInfo

from flask import request

UTC = "UTC"


def read_zone() -> ZoneInfo:
    """UTC where none is named, or one that there is not."""
    try:
        return ZoneInfo(request.args.get("tz") or UTC)
    except (KeyError, ValueError, OSError):
        return ZoneInfo(UTC)
