"""Remembers which uploads have begun, so that the next run goes on with them.

A small file for each of them, so that several commands can run at once. It is there before the
server is asked, with the idempotency key of the question: however often it is asked, the server
begins one upload.
"""

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from cli.failures import CliFailure
from cli.places import memory_name, state_folder, write_privately
from cli.uploads.clip import Clip

#: Seconds; the server keeps what is unfinished for a day.
_KEPT = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Begun:
    """`id`: of the upload; None until the server has answered."""

    key: str
    id: str | None = None


class UploadMemory:
    """Of one server and profile. Writing raises `CliFailure`."""

    def __init__(self, server: str, profile: str) -> None:
        self._folder = state_folder() / "uploads" / memory_name(server, profile)
        self._forget_old()

    def recall(self, clip: Clip) -> Begun:
        """What is unreadable is begun anew: no more than bytes are lost with it."""
        try:
            kept = json.loads(self._path(clip).read_text(encoding="utf-8"))
            return Begun(key=str(kept["key"]), id=kept["id"] and str(kept["id"]))
        except (OSError, ValueError, KeyError, TypeError):
            begun = Begun(key=uuid4().hex)
            self.remember(clip, begun)
            return begun

    def remember(self, clip: Clip, begun: Begun) -> None:
        try:
            write_privately(self._path(clip), asdict(begun))
        except OSError as error:
            message = f"{self._folder} cannot be written: {error.strerror}"
            raise CliFailure(message, hint="set XDG_STATE_HOME to another folder") from error

    def forget(self, clip: Clip) -> None:
        self._path(clip).unlink(missing_ok=True)

    def _path(self, clip: Clip) -> Path:
        return self._folder / f"{clip.sha256}.json"

    def _forget_old(self) -> None:
        for path in self._folder.glob("*.json"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEPT:
                    path.unlink()
