"""What a schedule publishes at a fire time: a bulk body, or the next media of a playlist."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from shared.errors import FieldError, InvalidRequest, Unprocessable
from shared.intake.bulk_rows import bulk_order
from shared.intake.schemas import BulkItem, BulkPublishRequest, Playlist, Spreading
from shared.intake.validation import Order
from shared.models import Schedule
from shared.models.base import is_id

KINDS = BULK, PLAYLIST = "bulk", "playlist"
Content = BulkPublishRequest | Playlist
#: Of a playlist: the channels of each medium to publish now, by its index.
Turn = Mapping[int, Sequence[str]]
_MODELS: Mapping[str, type[Content]] = {BULK: BulkPublishRequest, PLAYLIST: Playlist}
_ITEM = re.compile(r"items\.(\d+)\.(?:(media_ids)\b.*|(.+))")


def kind_of(content: Content) -> str:
    return PLAYLIST if isinstance(content, Playlist) else BULK


def saved_body(content: Content) -> dict[str, Any]:
    """The content as it was sent, without a playlist's position, which has its own column."""
    return content.model_dump(mode="json", exclude_unset=True, exclude={"position"})


def content_of(schedule: Schedule) -> Content:
    """Raises `Unprocessable` for content that only an earlier version accepted."""
    try:
        return _MODELS[schedule.kind].model_validate(schedule.body)
    except ValidationError as error:
        names = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors()[:5])
        message = f"What was saved is malformed by now: {names}. Save the schedule again"
        raise Unprocessable(message, code="malformed") from error


def rows_of(content: Content) -> Sequence[object]:
    return content.media_ids if isinstance(content, Playlist) else content.items


def media_ids(content: Content) -> list[int]:
    """All media ids in the content, whether they exist or not."""
    rows = content.items if isinstance(content, BulkPublishRequest) else ()
    names = {*content.media_ids, *(name for row in rows for name in row.media_ids or ())}
    threads = [content.parts or (), *(row.parts or () for row in rows)]
    names |= {name for thread in threads for part in thread for name in part.media_ids}
    return sorted(int(name) for name in names if is_id(name))


def refuse_dates(content: Content) -> None:
    """Raises `InvalidRequest` for dates: a date occurs once, but a schedule fires repeatedly."""
    if isinstance(content, Playlist):
        return
    dated = ["schedule_date"] if content.schedule_date else []
    rows = enumerate(content.items)
    dated += [f"items.{index}.schedule_date" for index, row in rows if row.schedule_date]
    message = "must not be given in a schedule: its rows are due from the fire time on"
    faults = [FieldError(field=f"{BULK}.{name}", message=message) for name in dated]
    if faults:
        raise InvalidRequest(f"A date in a schedule's bulk {message}", fields=faults)


def build_order(
    schedule: Schedule, content: Content, turn: Turn, fire_at: datetime, now: datetime
) -> Order:
    """`turn`: which of a playlist's media to publish now, and where."""
    body = content if isinstance(content, BulkPublishRequest) else _playlist_as_bulk(content, turn)
    changes: dict[str, Any] = {"schedule_date": fire_at}
    if "timezone" not in content.model_fields_set:
        changes["timezone"] = schedule.timezone
    rename_faults = partial(_rename_faults, kind_of(content), list(turn))
    made = bulk_order(
        body.model_copy(update=changes), schedule.profile_id, now, rename_faults=rename_faults
    )
    return replace(made, options={**made.options, "schedule_id": str(schedule.id)})


def _playlist_as_bulk(playlist: Playlist, turn: Turn) -> BulkPublishRequest:
    """A bulk with a row for each medium; the playlist's other fields apply to all rows."""
    shared = {name: getattr(playlist, name) for name in Spreading.model_fields}
    items = [_playlist_item(playlist, place, channels) for place, channels in turn.items()]
    return BulkPublishRequest(
        **{**shared, "media_ids": []}, integration_ids=playlist.integration_ids, items=items
    )


def _playlist_item(playlist: Playlist, place: int, channels: Sequence[str]) -> BulkItem:
    medium = playlist.media_ids[place]
    return BulkItem(
        media_ids=[medium],
        caption=playlist.media_captions.get(medium),
        integration_ids=list(channels),
    )


def whole_turn(content: Content) -> Turn:
    """All of its media, on all of its channels."""
    channels = content.integration_ids
    return dict.fromkeys(range(len(rows_of(content))), channels)


def _rename_faults(
    kind: str, places: Sequence[int], faults: Sequence[FieldError]
) -> Sequence[FieldError]:
    """Rename the fields to those of the schedule's own body; drops duplicate faults of media."""
    if kind == BULK:
        return [replace(fault, field=f"{BULK}.{fault.field}") for fault in faults]
    return list(dict.fromkeys(_playlist_fault(places, fault) for fault in faults))


def _playlist_fault(places: Sequence[int], fault: FieldError) -> FieldError:
    found = _ITEM.match(fault.field)
    name = fault.field
    if found:
        name = f"{found[2]}.{places[int(found[1])]}" if found[2] else found[3]
    return replace(fault, field=f"{PLAYLIST}.{name}", row=None)
