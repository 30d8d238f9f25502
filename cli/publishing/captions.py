"""Captions from text files, and rows from CSV files."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.failures import CliFailure

#: Bytes. No network takes a caption that is nearly as long.
_LONGEST_CAPTION = 256 * 1024
_LONGEST_CSV = 64 * 1024**2
MOST_ROWS = 10_000
CAPTION_FOR = "caption_"
COLUMNS = ("file", "caption", "channels", "publish_at", "first_comment")


@dataclass(frozen=True)
class CsvRow:
    """`line`: where it begins in its file, from 1. `cells`: by column, without the empty ones."""

    line: int
    cells: dict[str, str]


def read_caption_file(path: Path) -> str:
    """Raises `CliFailure`."""
    return _read_text(path, _LONGEST_CAPTION).strip()


def read_csv(path: Path) -> list[CsvRow]:
    """Of a file with the columns `file` and `caption` at least. Raises `CliFailure`."""
    text = _read_text(path, _LONGEST_CSV)
    try:
        rows = list(_parse(path, text))
    except csv.Error as error:
        raise CliFailure(f"{path} is not CSV: {error}") from error
    if not rows:
        raise CliFailure(f"{path} has no rows")
    if len(rows) > MOST_ROWS:
        raise CliFailure(f"{path} has {len(rows)} rows: at most {MOST_ROWS:,} fit in a job")
    return rows


def _read_text(path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise CliFailure(f"{path} is larger than {most // 1024} KiB")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise CliFailure(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CliFailure(f"{path} is not UTF-8 text", hint="save it as UTF-8") from error


def _parse(path: Path, text: str) -> Iterator[CsvRow]:
    separator = (
        ";" if ";" in text.partition("\n")[0] and "," not in text.partition("\n")[0] else ","
    )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    names = [_column(name.strip()) for name in next(reader, [])]
    _require_columns(path, names)
    begins = reader.line_num + 1
    for cells in reader:
        if len(cells) > len(names):
            raise CliFailure(f"{path}, line {begins}: more cells than columns")
        filled = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
        if filled:
            yield CsvRow(begins, filled)
        begins = reader.line_num + 1


def _column(name: str) -> str:
    """Also written as `File`; what names a network or channel stays as it is."""
    return name.casefold() if name.casefold() in COLUMNS else name


def _require_columns(path: Path, names: list[str]) -> None:
    known = f"columns: {', '.join(COLUMNS)}, {CAPTION_FOR}NETWORK"
    missing = [name for name in ("file", "caption") if name not in names]
    if missing:
        raise CliFailure(f"{path} has no column {missing[0]!r}", hint=known)
    for name in names:
        if name not in COLUMNS and not name.startswith(CAPTION_FOR):
            raise CliFailure(f"{path} has an unknown column {name!r}", hint=known)
        if names.count(name) > 1:
            raise CliFailure(f"{path} has the column {name!r} twice")
