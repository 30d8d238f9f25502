"""The log files of the processes: bounded in size, and read from the end."""

import os
import shutil
from pathlib import Path

_LIMIT = 20_000_000  # bytes; one older part of the same size is kept


def last_lines(log: Path, count: int = 20) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])


def keep_bounded(log: Path, limit: int = _LIMIT) -> None:
    """Empties a log that has grown too long in place, since its process goes on writing to it."""
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
