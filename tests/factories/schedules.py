"""Schedules."""

from shared.models import Schedule


def build_schedule(media_ids: list[int]) -> Schedule:
    """Of `acme`, daily, not yet due, and not yet saved."""
    return Schedule(
        profile_id="acme",
        name="daily",
        cron="0 9 * * *",
        timezone="UTC",
        kind="playlist",
        body={},
        items=len(media_ids),
        media_ids=media_ids,
        misfire_grace_seconds=3600,
    )
