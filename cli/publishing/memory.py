"""Remembers what of a folder or CSV file was published, so that nothing is published twice."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cli.failures import CliFailure
from cli.places import memory_name, state_folder, write_privately

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A request that may or may not have arrived. `rows`: keys of its posts. `asked`: what the user
    wanted, by which the same command is known again. `by_key`: mark of the API key that sent it.
    `times_tag`: of the times that were agreed to, if they do not move with the clock."""

    key: str
    rows: list[str]
    asked: str
    body: dict[str, Any]
    began_at: str
    by_key: str = ""
    times_tag: str = ""


@dataclass(kw_only=True)
class FolderMemory:
    """`published`: the job of each post, by the post's key."""

    path: Path
    source: str
    published: dict[str, str] = field(default_factory=dict)
    pending: Pending | None = None

    def begin(self, pending: Pending) -> None:
        self.pending = pending
        self._save()

    def note_published(self, job: str) -> None:
        assert self.pending is not None
        self.published |= dict.fromkeys(self.pending.rows, job)
        self.pending = None
        self._save()

    def forget_pending(self) -> None:
        self.pending = None
        self._save()

    def last_job(self, rows: Sequence[str]) -> str | None:
        jobs = [self.published[row] for row in rows if row in self.published]
        return max(jobs, key=lambda job: (len(job), job)) if jobs else None

    def _save(self) -> None:
        content = {
            "version": _VERSION,
            "source": self.source,
            "published": self.published,
            "pending": asdict(self.pending) if self.pending else None,
        }
        try:
            write_privately(self.path, content)
        except OSError as error:
            raise _unwritable(self.path, error) from error


@contextmanager
def remembering(
    server: str, profile: str, source: Path, *, url: str | None = None
) -> Iterator[FolderMemory]:
    """While no other command publishes from the same source. Raises `CliFailure`.

    `url`: the server's address as it is written, by which its memory was named before
    all names of this machine were one.
    """
    place = str(source.resolve())
    path, former = (_path(each, profile, place) for each in (server, url or server))
    with _alone(path.with_suffix(".lock"), place):
        if former.exists() and not path.exists():
            _rename(former, path)
        yield _load(path, place)


def _rename(former: Path, path: Path) -> None:
    try:
        former.rename(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _path(server: str, profile: str, place: str) -> Path:
    return state_folder() / "published" / f"{memory_name(server, profile, place)}.json"


def _load(path: Path, source: str) -> FolderMemory:
    try:
        return _parse(path, source, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return FolderMemory(path=path, source=source)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CliFailure(
            f"{path}, which says what of {source} was published, cannot be read",
            hint="look at pressroom jobs ls; if nothing is missing there, remove that file",
        ) from error


def _parse(path: Path, source: str, kept: Any) -> FolderMemory:
    if kept["version"] != _VERSION:
        raise ValueError(kept["version"])
    pending = Pending(**kept["pending"]) if kept["pending"] else None
    return FolderMemory(
        path=path, source=source, published=dict(kept["published"]), pending=pending
    )


@contextmanager
def _alone(lock: Path, source: str) -> Iterator[None]:
    """On Windows, which has no such locks, two commands at once are the user's to avoid."""
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:
        yield
        return
    try:
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(lock, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"Another pressroom is publishing {source}"
            raise CliFailure(message, hint="wait for it, or stop it") from error
        except OSError as error:  # on a network's disk without locks
            raise _unwritable(lock, error) from error
        yield
    finally:
        with suppress(OSError):
            os.close(handle)


def _unwritable(path: Path, error: OSError) -> CliFailure:
    """Without it, a second run could publish twice."""
    message = f"{path} cannot be written: {error.strerror}"
    return CliFailure(message, hint="set XDG_STATE_HOME to another folder")
