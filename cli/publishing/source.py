"""From a folder of clips, or a CSV file that names them, to the rows to publish."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.failures import CliFailure, UsageFailure
from cli.output import note, shorten
from cli.publishing.captions import CAPTION_FOR, MOST_ROWS, CsvRow, read_caption_file, read_csv
from cli.publishing.rows import PostRow
from cli.uploads.clip import ENDINGS

_TOLD = 5
_LONGEST_SHOWN = 200


def read_rows(source: Path, captions: Path | None, channels: Sequence[str]) -> list[PostRow]:
    """Raises `CliFailure`. `channels`: of the rows that name none of their own."""
    if source.is_dir():
        rows = _rows_of_folder(source, captions, channels)
        _tell_without_caption(rows)
        return rows
    if not source.exists():
        raise CliFailure(f"There is no file or folder {source}")
    if captions is not None:
        raise UsageFailure("--captions goes with a folder: a CSV file has captions of its own")
    return [_row_of_csv(source, row, channels) for row in read_csv(source)]


def _tell_without_caption(rows: Sequence[PostRow]) -> None:
    bare = sum(not row.caption for row in rows)
    if bare:
        note(f"{bare} of {len(rows)} have no caption: NAME.txt beside a clip, or --captions")


def split_list(text: str, separator: str = ",") -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _rows_of_folder(folder: Path, captions: Path | None, channels: Sequence[str]) -> list[PostRow]:
    """A row for each clip; with `captions`, in the order of that file, then the others."""
    clips = find_clips(folder)
    if not channels:
        raise UsageFailure("Which channels?", hint="--channels IDS (pressroom channels lists them)")
    written = _rows_of_captions(captions, channels, folder) if captions else []
    named = {_identity(path) for row in written for path in row.files}
    others = [
        PostRow(files=[path], caption=_caption_beside(path), channels=channels, place=str(path))
        for path in clips
        if _identity(path) not in named
    ]
    return [*written, *others]


def _rows_of_captions(captions: Path, channels: Sequence[str], folder: Path) -> list[PostRow]:
    rows = [_row_of_csv(captions, written, channels, folder) for written in read_csv(captions)]
    seen = set()
    for row in rows:
        first = _identity(row.files[0])
        if first in seen:
            raise CliFailure(f"{row.place}: {row.name} has a row already")
        seen.add(first)
    return rows


def _identity(path: Path) -> tuple[int, int]:
    """Of the file: a table may name it by its whole path, or in another case where that is one."""
    try:
        found = path.stat()
    except OSError as error:
        raise CliFailure(f"{path} cannot be read: {error.strerror}") from error
    return found.st_dev, found.st_ino


def find_clips(folder: Path) -> list[Path]:
    """In the order of their names, numbers in them by their value. Raises `CliFailure`."""
    try:
        files = [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]
    except OSError as error:
        raise CliFailure(f"{folder} cannot be read: {error.strerror}") from error
    clips = sorted((path for path in files if path.suffix.lower() in ENDINGS), key=_natural_order)
    _tell_left_out(
        [path for path in files if path.suffix.lower() not in {*ENDINGS, ".txt", ".csv"}]
    )
    if not clips:
        raise CliFailure(
            f"There is no clip in {folder}", hint=f"clips end in {', '.join(sorted(ENDINGS))}"
        )
    if len(clips) > MOST_ROWS:
        raise CliFailure(f"{folder} has {len(clips)} clips: at most {MOST_ROWS:,} fit in a job")
    return clips


def _natural_order(path: Path) -> list[tuple[int, str]]:
    parts = re.findall(r"([0-9]+)|([^0-9]+)", path.name.casefold())
    return [(int(number), "") if number else (-1, text) for number, text in parts]


def _tell_left_out(others: Sequence[Path]) -> None:
    if others:
        names = ", ".join(sorted(path.name for path in others)[:_TOLD])
        more = f" and {len(others) - _TOLD} more" if len(others) > _TOLD else ""
        note(f"Left out, not a file that Postiz takes: {names}{more}")


def _caption_beside(path: Path) -> str:
    beside = path.with_suffix(".txt")
    return read_caption_file(beside) if beside.is_file() else ""


def _row_of_csv(
    table: Path, row: CsvRow, channels: Sequence[str], folder: Path | None = None
) -> PostRow:
    place = f"{table}, line {row.line}"
    files = [(folder or table.parent) / name for name in split_list(row.cells.get("file", ""), "|")]
    own = split_list(row.cells.get("channels", ""), "|") or channels
    if not files:
        raise CliFailure(f"{place}: no file is named")
    for path in files:
        if not _is_file(path):
            raise CliFailure(f"{place}: there is no {shorten(str(path), _LONGEST_SHOWN)}")
    if not own:
        raise CliFailure(
            f"{place}: no channel is named", hint="--channels IDS, or a column channels"
        )
    return PostRow(
        files=files,
        caption=row.cells.get("caption", ""),
        channels=own,
        publish_at=row.cells.get("publish_at"),
        captions_per_platform=dict(_own_captions(row)),
        first_comment=row.cells.get("first_comment"),
        place=place,
    )


def _is_file(path: Path) -> bool:
    """Also where no file could have that name, such as a caption in the wrong column."""
    try:
        return path.is_file()
    except OSError:
        return False


def _own_captions(row: CsvRow) -> Iterator[tuple[str, str]]:
    for name, cell in row.cells.items():
        if name.startswith(CAPTION_FOR):
            yield name.removeprefix(CAPTION_FOR), cell
