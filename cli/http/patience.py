"""How long what did not go through is tried again: as long as something goes forward."""

import os
import threading
import time

from cli.failures import CliFailure

VARIABLE = "PRESSROOM_PATIENCE"
SECONDS = 60.0
_LONGEST_PAUSE = 5.0


class Interrupted(Exception):
    """The user has stopped the command; other threads end by it."""


def seconds_of_environment() -> float:
    """Without any progress; then the command gives up."""
    try:
        return max(0.0, float(os.environ.get(VARIABLE, SECONDS)))
    except ValueError:
        return SECONDS


class Patience:
    """Of one thing that is tried again and again. `stop`: set once the command ends."""

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        self._seconds = seconds
        self._stop = stop
        self.note_progress()

    def note_progress(self) -> None:
        self._until = time.monotonic() + self._seconds
        self._pause = 0.25

    def leave_out(self, seconds: float) -> None:
        """They do not count: the server was there, or was sent to."""
        self._until += seconds

    def wait(self, failure: CliFailure, pause: float | None = None) -> None:
        """Until it may be tried again. Raises `failure` if patience is over, and `Interrupted`."""
        if time.monotonic() > self._until:
            raise failure
        if self._stop.wait(self._pause if pause is None else pause):
            raise Interrupted
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)
