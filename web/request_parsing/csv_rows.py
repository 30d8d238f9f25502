"""A bulk as CSV: a row per item, and the job's own fields in the query string."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from shared.errors import FieldError, InvalidRequest
from shared.intake.schemas import MAX_ITEMS, BulkItem, BulkPublishRequest
from web.http_layer.request import is_clean, read_json

MIMETYPE = "text/csv"
#: `caption_x`: the caption for the network x, or for the integration of that id.
_CAPTION = "caption_"
#: `thread_1` to `thread_9`: the captions of the parts under the first, in this order.
_PART = re.compile(r"thread_[1-9]")
MAX_COLUMNS = 200
#: The most of a row, the first one too (characters): the longest captions of several networks.
MAX_ROW = 2 * 1024**2
MAX_HEADER = 100_000
#: The most of a name that an error repeats.
_SHOWN = 100
_DELIMITERS = ",;\t"
_LISTS = frozenset({"media_ids", "integration_ids", "slots"})
_OBJECTS = frozenset({"settings", "captions_per_platform", "thread"})
_NUMBERS = frozenset(
    {
        "schedule_interval_minutes",
        "schedule_jitter_minutes",
        "jitter_seed",
        "daily_cap_per_integration",
        "min_gap_minutes_per_integration",
    }
)
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_ITEM = re.compile(r"items\.(\d+)(?:\.|$)")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file's rows, as the items that JSON would have.

    `lines`: the line where each row begins, from 1. `faults`: of malformed rows, by row index.
    """

    items: Sequence[dict[str, Any]]
    lines: Sequence[int]
    faults: Mapping[int, Sequence[FieldError]]

    def named(self, faults: Sequence[FieldError]) -> list[FieldError]:
        """The faults, with the line of the file added to messages about an item."""
        return [
            replace(fault, message=self._line_prefix(fault.field) + fault.message)
            for fault in faults
        ]

    def _line_prefix(self, field: str) -> str:
        match = _ITEM.match(field)
        return f"line {self.lines[int(match[1])]}: " if match else ""


def read_table(raw: bytes) -> Table:
    """Raises `InvalidRequest` for a file that is no table, or has unknown columns."""
    rows = _read_rows(_decode_text(raw))
    _, header = next(rows, (1, []))
    names = _checked_header([name.strip() for name in header])
    items: list[dict[str, Any]] = []
    lines: list[int] = []
    faults: dict[int, list[FieldError]] = {}
    for line, cells in islice(rows, MAX_ITEMS + 1):  # one too many: the model refuses them
        item, wrong = _read_item(names, cells, f"items.{len(items)}")
        if wrong:
            faults[len(items)] = wrong
        items.append(item)
        lines.append(line)
    return Table(items=items, lines=lines, faults=faults)


def _read_item(
    names: Sequence[str], cells: Sequence[str], path: str
) -> tuple[dict[str, Any], list[FieldError]]:
    item, faults = _read_fields(zip(names, cells, strict=False), f"{path}.")
    if len(cells) > len(names):
        words = f"has {len(cells)} cells, but the header names {len(names)} columns"
        faults.append(FieldError(field=path, message=words, code="malformed"))
    return item, faults


def job_fields(query: Mapping[str, str]) -> dict[str, Any]:
    """The job's own fields, as they would be in a JSON body."""
    known = set(BulkPublishRequest.model_fields) - {"items"}
    unknown = [name for name in query if name not in known and not _is_text_column(name)]
    faults = [_unknown_field(name, "unknown field") for name in unknown]
    unclean = [name for name, value in query.items() if not is_clean(name + value)]
    faults += [FieldError(field=name, message="contains a NUL") for name in unclean]
    found, wrong = _read_fields(query.items(), "")
    if faults or wrong:
        names = ", ".join([fault.field for fault in [*faults, *wrong]][:10])
        raise InvalidRequest(f"The query is malformed: {names}", fields=[*faults, *wrong])
    return found


def _decode_text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _malformed_file(
            f"The file must be UTF-8, and line {line} is not", "not_utf8"
        ) from error
    if not is_clean(text):
        raise _malformed_file("The file contains a NUL", "not_csv")
    return text


def _read_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line where it begins; empty lines are skipped."""
    lines = _BoundedLines(text)
    reader = csv.reader(lines, delimiter=_detect_delimiter(text), strict=True)
    line = 1
    try:
        for cells in reader:
            lines.begin_row()
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise _malformed_file(f"The file is not CSV: line {line}: {error}", "not_csv") from error


class _BoundedLines:
    """The lines of a text; a row of too many characters is refused before its cells are made."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self._left = MAX_ROW

    def begin_row(self) -> None:
        self._left = MAX_ROW

    def __iter__(self) -> "_BoundedLines":
        return self

    def __next__(self) -> str:
        line = self._lines.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise csv.Error(f"a row has more than {MAX_ROW} characters")
        if not line:
            raise StopIteration
        return line


def _detect_delimiter(text: str) -> str:
    """A comma, unless only another delimiter gives known names in the header."""
    header = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    if len(header) > MAX_HEADER:
        raise _malformed_file(f"The first line has more than {MAX_HEADER} characters", "not_csv")
    names_by_delimiter = {
        delimiter: [name.strip(' "') for name in header.split(delimiter)]
        for delimiter in _DELIMITERS
    }
    known = [
        delimiter
        for delimiter, names in names_by_delimiter.items()
        if all(_is_column(name) for name in names)
    ]
    return max(
        known, key=lambda delimiter: len(names_by_delimiter[delimiter]), default=_DELIMITERS[0]
    )


def _checked_header(names: Sequence[str]) -> Sequence[str]:
    if len(names) > MAX_COLUMNS:
        message = f"The first line names {len(names)} columns; at most {MAX_COLUMNS} are read"
        raise _malformed_file(message, "not_csv")
    faults = [
        _unknown_field(name, "unknown column")
        for name in dict.fromkeys(names)
        if not _is_column(name)
    ]
    twice = [name for name, number in Counter(names).items() if number > 1]
    faults += [
        FieldError(field=name[:_SHOWN], message="two columns have this name") for name in twice
    ]
    if not names:
        raise _malformed_file("The first line must name the columns, and there is none", "not_csv")
    if faults:
        wrong = ", ".join(fault.field or '""' for fault in faults)
        raise InvalidRequest(f"The first line must name the columns: {wrong}", fields=faults)
    return names


def _is_column(name: str) -> bool:
    return name in BulkItem.model_fields or _is_text_column(name)


def _is_text_column(name: str) -> bool:
    return _is_caption(name) or _PART.fullmatch(name) is not None


def _is_caption(name: str) -> bool:
    return name.startswith(_CAPTION) and name != _CAPTION


def _unknown_field(name: str, message: str) -> FieldError:
    return FieldError(field=name[:_SHOWN], message=message, code="unknown_field")


def _malformed_file(message: str, code: str) -> InvalidRequest:
    return InvalidRequest(message, code=code)


def _read_fields(
    cells: Iterable[tuple[str, str]], path: str
) -> tuple[dict[str, Any], list[FieldError]]:
    """The fields of an item, or of the job; an empty cell counts as not given."""
    found: dict[str, Any] = {}
    captions: dict[str, str] = {}
    parts: dict[str, str] = {}
    faults: list[FieldError] = []
    for name, cell in cells:
        if not cell.strip():
            continue
        if _is_caption(name):
            captions[name.removeprefix(_CAPTION)] = cell
            continue
        if _PART.fullmatch(name):
            parts[name] = cell
            continue
        try:
            found[name] = _parse_cell(name, cell)
        except ValueError as error:
            faults.append(FieldError(field=path + name, message=f"cannot be read as JSON: {error}"))
    if captions:
        found["captions_per_platform"] = _merge_captions(
            found.get("captions_per_platform"), captions
        )
    if parts and "thread" in found:
        message = f"give either thread or {min(parts)}"
        faults.append(FieldError(field=f"{path}thread", message=message, code="malformed"))
    elif parts:
        found["thread"] = [{"caption": parts[name]} for name in sorted(parts)]
    return found, faults


def _merge_captions(own: Any, captions: dict[str, str]) -> Any:
    return own if own is not None and not isinstance(own, dict) else {**(own or {}), **captions}


def _parse_cell(name: str, cell: str) -> Any:
    """The value as JSON would have it; what does not fit stays text, and the model refuses it."""
    if name in _LISTS:
        return [part.strip() for part in cell.split("|") if part.strip()]
    if name in _OBJECTS:
        return read_json(cell)
    if name in _NUMBERS:
        return _parse_number(cell.strip())
    if name in {"save_as_draft", "requires_approval"}:
        return _FLAGS.get(cell.strip().lower(), cell)
    return cell if name.startswith("caption") or name == "first_comment" else cell.strip()


def _parse_number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
