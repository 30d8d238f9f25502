"""The folder that holds a stack: its data, logs and secrets, and the lock of whoever runs it."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local.errors import StackError


@dataclass(frozen=True)
class Home:
    folder: Path

    @property
    def stack_file(self) -> Path:
        return self.folder / "stack.json"

    @property
    def running_file(self) -> Path:
        return self.folder / "running.json"

    @property
    def secret_keys(self) -> Path:
        return self.folder / "secret_keys"

    @property
    def media(self) -> Path:
        return self.folder / "media"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def make(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps every other `up` out; the lock goes with this process, however it ends."""
        self.make()
        with self._lock_file.open("a+") as file:
            if not _got(fcntl.LOCK_EX, file, seconds=1):
                raise StackError(
                    f"{self.folder} is in use by process {self.holder()}: stop it with `make down`"
                )
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def holder(self) -> int | None:
        """The process that runs this home, or None."""
        if not self._lock_file.exists():
            return None
        with self._lock_file.open("r") as file:
            if _got(fcntl.LOCK_SH, file, seconds=0):
                return None
            text = file.read()
        return int(text) if text else self.holder()  # empty: taken at this moment, not yet signed

    @property
    def _lock_file(self) -> Path:
        return self.folder / "lock"


def home_from(environ: Mapping[str, str]) -> Home:
    return Home(Path(environ.get("PRESSROOM_HOME") or ".pressroom").expanduser().resolve())


def _got(lock: int, file: IO[str], *, seconds: float) -> bool:
    """With seconds to spare, since whoever asks for the holder shares the lock for a moment."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, lock | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True
