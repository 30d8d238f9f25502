"""Turns the body of publish or bulk-publish into rows for the rules and the planner."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.domain.rows.post_rows import Row
from shared.domain.timing.local_time import ClockChange, clock_change_at, whole_second
from shared.domain.timing.spacing import LATEST, Spread, Taken, Wish, assign_times
from shared.domain.timing.spacing_conflicts import find_conflicts
from shared.errors import FieldError, Unprocessable
from shared.intake.calendar_times import in_calendar
from shared.intake.schemas import BulkItem, BulkPublishRequest, Defaults, Playlist, PublishRequest
from shared.intake.validation import Placed

#: The `thread_policy` that leaves a thread out where the network has none.
DROP = "where_supported"


def single_row(body: PublishRequest, now: datetime) -> Row:
    return Row(
        **_text_fields(body),
        media_ids=body.media_ids,
        integration_ids=body.integration_ids,
        publish_at=_normalize_time(body.schedule_date, body, "schedule_date") or whole_second(now),
        clock_change=_clock_change_at(body.schedule_date, body),
        external_id=body.external_id,
    )


def ensure_seed(body: BulkPublishRequest) -> BulkPublishRequest:
    """Add a seed computed from the body if there is jitter: equal requests get equal times."""
    if body.jitter_seed is not None or not body.schedule_jitter_minutes:
        return body
    digest = hashlib.sha256(body.model_dump_json(exclude_defaults=True).encode()).digest()
    return body.model_copy(update={"jitter_seed": int.from_bytes(digest[:4]) >> 1})


def spread_of(body: BulkPublishRequest, now: datetime) -> Spread:
    """`body` must have a seed (`ensure_seed`)."""
    return Spread(
        start=_normalize_time(body.schedule_date, body, "schedule_date") or whole_second(now),
        zone=ZoneInfo(body.timezone),
        interval=timedelta(minutes=body.schedule_interval_minutes),
        jitter=timedelta(minutes=body.schedule_jitter_minutes),
        seed=body.jitter_seed or 0,
        walls=[time.fromisoformat(wall) for wall in body.slots or ()],
        daily_cap=body.daily_cap_per_integration,
        min_gap=timedelta(minutes=body.min_gap_minutes_per_integration),
    )


def integrations_of(body: BulkPublishRequest | Playlist) -> set[str]:
    items = body.items if isinstance(body, BulkPublishRequest) else ()
    own = {name for item in items for name in item.integration_ids or ()}
    return own.union(body.integration_ids)


def bulk_rows(
    body: BulkPublishRequest,
    spread: Spread,
    taken: Taken,
    malformed: Mapping[int, Sequence[FieldError]],
) -> Placed:
    """`taken`: due times of other posts of the same integrations. `malformed`: faults by row."""
    wishes = [_item_wish(body, index, item) for index, item in enumerate(body.items)]
    moments = assign_times(wishes, spread, taken)
    rows = [
        _bulk_row(body, index, item, wishes[index], moments[index])
        if index not in malformed
        else _malformed_row(index, moments[index], malformed[index])
        for index, item in enumerate(body.items)
    ]
    return Placed(rows=rows, advice=find_conflicts(wishes, moments, spread, taken))


def _malformed_row(index: int, moment: datetime, faults: Sequence[FieldError]) -> Row:
    return Row(position=index, path=f"items.{index}.", publish_at=moment, faults=faults)


def _item_wish(body: BulkPublishRequest, index: int, item: BulkItem) -> Wish:
    own = item.integration_ids
    return Wish(
        own=_own_time(item, body, index),
        integration_ids=body.integration_ids if own is None else own,
    )


def _own_time(item: BulkItem, body: BulkPublishRequest, index: int) -> datetime | None:
    """The row's own time. One too far in the future is kept: it becomes a fault of this row."""
    if item.schedule_date is None:
        return None
    return in_calendar(item.schedule_date, body.timezone, f"items.{index}.schedule_date")


def _bulk_row(
    body: BulkPublishRequest, index: int, item: BulkItem, wish: Wish, moment: datetime
) -> Row:
    path = f"items.{index}."
    texts = _text_fields(body)
    texts["captions"] = {**body.captions_per_platform, **item.captions_per_platform}
    texts["settings"] = _merge_settings(body.settings, item.settings)
    if item.caption is not None:
        texts["caption"] = item.caption
    if item.parts is not None:
        texts["thread"] = item.parts
    if item.thread_policy is not None:
        texts["drops_thread"] = item.thread_policy == DROP
    return Row(
        **texts,
        position=index,
        path=path,
        media_ids=body.media_ids if item.media_ids is None else item.media_ids,
        integration_ids=wish.integration_ids,
        publish_at=moment,
        clock_change=_clock_change_at(item.schedule_date, body),
        external_id=item.external_id,
        faults=[_too_far(f"{path}schedule_date")] if moment >= LATEST else [],
    )


def _clock_change_at(moment: datetime | None, body: Defaults) -> ClockChange | None:
    return None if moment is None else clock_change_at(moment, ZoneInfo(body.timezone))


def _text_fields(body: Defaults) -> dict[str, Any]:
    return {
        "caption": body.caption,
        "captions": body.captions_per_platform,
        "settings": body.settings,
        "youtube_title": body.youtube_title,
        "thread": body.parts or (),
        "drops_thread": body.thread_policy == DROP,
    }


def _merge_settings(
    defaults: Mapping[str, Mapping[str, Any]], own: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """A row's settings override the defaults key by key."""
    return {key: {**defaults.get(key, {}), **own.get(key, {})} for key in {**defaults, **own}}


def _normalize_time(moment: datetime | None, body: Defaults, name: str) -> datetime | None:
    """In UTC and whole seconds. Raises `Unprocessable` for a time too far in the future."""
    if moment is None:
        return None
    found = in_calendar(moment, body.timezone, name)
    if found >= LATEST:
        raise Unprocessable("The time lies too far in the future", fields=[_too_far(name)])
    return found


def _too_far(name: str) -> FieldError:
    return FieldError(field=name, message=f"must lie before {LATEST:%Y}", code="too_far")
