"""What is printed: tables for people, tab-separated lines for programs, or `--json`."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.failures import CliFailure, UsageFailure

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`fields`: what `--json` knows of a thing. `columns`: what is shown otherwise, by title."""

    fields: tuple[str, ...]
    columns: Mapping[str, Callable[[Row], object]]


def notes() -> Console:
    """For all that is not the result: messages, questions, progress."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    """Without a terminal there is no colour, whatever the environment asks for."""
    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=is_terminal,
        no_color=None if is_terminal else True,
        highlight=False,
        soft_wrap=not is_terminal,
    )


def note(message: str) -> None:
    notes().print(Text(clean_text(message, keep_lines=True)))


def print_failure(failure: CliFailure) -> None:
    console = notes()
    console.print(
        Text("Error: ", style="bold red"),
        Text(clean_text(failure.message, keep_lines=True)),
        sep="",
    )
    if failure.hint:
        console.print(Text(f"  → {clean_text(failure.hint)}"))


def show(
    listing: Listing, wanted: str | None, read: Callable[[], Iterable[Row]], *, limit: int = 0
) -> list[Row]:
    """Prints what `read` gives, and returns it.

    `wanted`: the fields of `--json`, which are looked at before anything is asked for.

    `limit`: how many were asked for at most; if so many came, there may be more.
    """
    fields = parse_fields(listing, wanted)
    rows = list(read())
    if fields is not None:
        print_json(fields, rows)
    else:
        _print_table(listing, rows)
    if limit and len(rows) >= limit:
        note(f"These are the first {limit}: there may be more (--limit)")
    return rows


def parse_fields(listing: Listing, wanted: str | None) -> list[str] | None:
    """Raises `UsageFailure`."""
    if wanted is None:
        return None
    fields = [field.strip() for field in wanted.split(",") if field.strip()]
    unknown = [field for field in fields if field not in listing.fields]
    if unknown or not fields:
        what = f"There is no field {unknown[0]!r}" if unknown else "No field is named"
        raise UsageFailure(what, hint=f"fields: {', '.join(listing.fields)}")
    return fields


def print_json(fields: list[str], rows: Iterable[Row]) -> None:
    chosen = [{field: row.get(field) for field in fields} for row in rows]
    shown = json.dumps(chosen, ensure_ascii=False, indent=2)
    try:
        shown.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # the name of a file that is no text, or a terminal of few letters
        shown = json.dumps(chosen, indent=2)
    sys.stdout.write(f"{shown}\n")


def _print_table(listing: Listing, rows: list[Row]) -> None:
    lines = [
        [clean_text(str(_shown(read(row)))) for read in listing.columns.values()] for row in rows
    ]
    if not sys.stdout.isatty():
        sys.stdout.write("".join("\t".join(line) + "\n" for line in lines))
    elif not lines:
        note("There are none")
    else:
        table = Table(*listing.columns, box=None, header_style="bold", pad_edge=False)
        for line in lines:
            table.add_row(*map(Text, line))
        _console(stderr=False).print(table)


def _shown(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def clean_text(text: str, *, keep_lines: bool = False) -> str:
    """Without what a terminal would obey, or take for another line or column."""
    return "".join(
        character
        if character.isprintable() or (keep_lines and character == "\n")
        else ("" if character == "\u200d" else " ")
        for character in text
    )


def format_time(moment: str | None, zone: tzinfo | None = None) -> str:
    """Of a time of the API; in `zone`, else by this machine's clock and with its offset: so it
    means the same where it is copied to."""
    if not moment:
        return ""
    shown = datetime.fromisoformat(moment).astimezone(zone)
    return f"{shown:%Y-%m-%d %H:%M}" if zone else f"{shown:%Y-%m-%d %H:%M%z}"


def shorten(text: str, length: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else f"{flat[: length - 1]}…"
