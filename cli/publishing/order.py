"""The request that publishes rows, and its plan as people read it."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.table import Table
from rich.text import Text

from cli.failures import CliFailure, UsageFailure
from cli.output import clean_text, format_time, note, notes, shorten
from cli.publishing.rows import PostRow

#: Of a plan that is longer, the first and the last rows are shown.
_FIRST, _LAST = 40, 5
_LONGEST_NAME = 255
#: Seconds. Plans show minutes.
_UNSEEN = 60.0
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """As the options of `publish` say it; None: as the API has it."""

    interval: float | None
    slots: Sequence[str] | None
    start: str | None
    zone: str

    def as_fields(self) -> dict[str, Any]:
        fields = {
            "schedule_interval_minutes": self.interval,
            "slots": self.slots,
            "schedule_date": self.start,
        }
        return {"timezone": self.zone, **{k: v for k, v in fields.items() if v is not None}}


def build_body(
    rows: Sequence[PostRow], media: Mapping[Path, str], timing: Timing, more: Mapping[str, Any]
) -> dict[str, Any]:
    """A body of bulk-publish."""
    return {"items": [_item(row, media) for row in rows], **timing.as_fields(), **more}


def _item(row: PostRow, media: Mapping[Path, str]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "media_ids": [media[path] for path in row.files],
        "caption": row.caption,
        "integration_ids": list(row.channels),
        "external_id": row.name.encode(errors="replace").decode()[:_LONGEST_NAME],
    }
    if row.publish_at:
        item["schedule_date"] = row.publish_at
    if row.captions_per_platform:
        item["captions_per_platform"] = dict(row.captions_per_platform)
    if row.first_comment:
        item["first_comment"] = row.first_comment
    return item


def require_faultless(plan: Mapping[str, Any], rows: Sequence[PostRow]) -> None:
    """Raises `CliFailure` with what is wrong with which row."""
    faults = [
        f"  {row.place}: {error['message']}"
        for row, planned in zip(rows, plan["rows"], strict=True)
        for error in planned["errors"]
    ]
    if faults:
        more = [f"  … and {len(faults) - _FIRST} more"] if len(faults) > _FIRST else []
        lines = "\n".join([*faults[:_FIRST], *more])
        raise CliFailure(f"Nothing is published, because of:\n{lines}")


def has_other_times(shown: Mapping[str, Any], now: Mapping[str, Any], *, later_by: float) -> bool:
    """Whether a row moved by more than the seconds that the second plan was made later."""
    pairs = zip(shown["rows"], now["rows"], strict=True)
    moves = [_moment(new) - _moment(old) for old, new in pairs]
    return any(abs(move.total_seconds()) > later_by + _UNSEEN for move in moves)


def _moment(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["publish_at"])


def show_plan(plan: Mapping[str, Any], rows: Sequence[PostRow], zone: str) -> None:
    """What will be published when, on standard error."""
    console = notes()
    lines = list(_lines(plan, rows, zone))
    if console.is_terminal:
        table = Table("FILE", "CAPTION", "CHANNELS", f"AT ({zone})", box=None, pad_edge=False)
        for line in lines:
            table.add_row(*map(Text, line))
        console.print(table)
    else:
        sys.stderr.write("".join("\t".join(line) + "\n" for line in lines))
    for warning in plan["warnings"]:
        note(f"Warning: {warning['message']} ({len(warning['indexes'])} rows)")
    if plan["requires_approval"]:
        note("They wait for a person's approval before anything reaches Postiz")


def _lines(plan: Mapping[str, Any], rows: Sequence[PostRow], zone: str) -> Iterator[list[str]]:
    pairs = list(zip(rows, plan["rows"], strict=True))
    left_out = len(pairs) - _FIRST - _LAST
    for number, (row, planned) in enumerate(pairs):
        if left_out > 0 and number == _FIRST:
            yield [f"… {left_out} more", "", "", ""]
        if left_out <= 0 or not _FIRST <= number < _FIRST + left_out:
            cells = [shorten(row.name, 40), shorten(row.caption, 40), ", ".join(row.channels)]
            at = format_time(planned["publish_at"], ZoneInfo(zone))
            yield [clean_text(cell) for cell in [*cells, at]]


def require_times(timing: Timing, rows: Sequence[PostRow]) -> None:
    """Before hours of uploads are for nothing. Raises `CliFailure`."""
    for slot in timing.slots or ():
        if not _TIME_OF_DAY.fullmatch(slot):
            raise UsageFailure(f"--slots: {slot!r} is no time of the day", hint="as 09:00,18:30")
    if timing.start is not None and not _is_time(timing.start):
        raise UsageFailure(f"--start: {timing.start!r} is no time", hint="as 2031-08-01T09:00")
    for row in rows:
        if row.publish_at and not _is_time(row.publish_at):
            message = f"{row.place}: publish_at {row.publish_at!r} is no time"
            raise CliFailure(message, hint="as 2031-08-01T09:00")


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def require_zone(zone: str) -> None:
    """Raises `CliFailure`."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CliFailure(f"There is no time zone {zone!r}", hint="as Europe/Berlin") from error
