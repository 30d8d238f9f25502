"""A file that is to be uploaded, and what it is known by."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.failures import CliFailure
from cli.http.patience import Interrupted

_PIECE = 1024**2
#: What Postiz takes, by the file's ending; what a file really is, the server finds out.
ENDINGS = frozenset({".mp4", ".jpg", ".jpeg", ".png", ".gif", ".webp"})


@dataclass(frozen=True, kw_only=True)
class Clip:
    """`size` in bytes; `changed_at`: its time of change (ns), by which a later change is seen."""

    path: Path
    size: int
    sha256: str
    changed_at: int

    @property
    def name(self) -> str:
        return self.path.name

    def require_unchanged(self) -> None:
        """Raises `CliFailure`."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise changed_meanwhile(self.path) from error
        if (found.st_size, found.st_mtime_ns) != (self.size, self.changed_at):
            raise changed_meanwhile(self.path)


def changed_meanwhile(path: Path) -> CliFailure:
    return CliFailure(
        f"{path} was changed while it was uploaded",
        hint="run the same command again, once it is whole",
    )


def read_clip(path: Path, stop: threading.Event, note_read: Callable[[int], None]) -> Clip:
    """`note_read` hears of how many bytes more were read. Raises `CliFailure`, `Interrupted`."""
    digest = hashlib.sha256()
    try:
        found = path.stat()
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                if stop.is_set():
                    raise Interrupted
                digest.update(piece)
                note_read(len(piece))
    except OSError as error:
        raise CliFailure(f"{path} cannot be read: {error.strerror}") from error
    if not found.st_size:
        raise CliFailure(f"{path} is empty")
    return Clip(
        path=path,
        size=found.st_size,
        sha256=digest.hexdigest(),
        changed_at=found.st_mtime_ns,
    )
