"""Several pieces of work at once, in threads that end when the user stops the command."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from cli.failures import CliFailure
from cli.http.patience import Interrupted

T = TypeVar("T")
R = TypeVar("R")
ABREAST = 3
#: Seconds: how soon Ctrl-C is seen, and how long the threads get to end by themselves.
_LOOK, _GRACE = 0.1, 3.0


class _Team(Generic[T, R]):
    """Works off `todo`; what fails for good is in `failure`, and ends the others."""

    def __init__(self, todo: Sequence[T], work: Callable[[T], R], stop: threading.Event) -> None:
        self._work = work
        self._stop = stop
        self._todo: queue.SimpleQueue[tuple[int, T]] = queue.SimpleQueue()
        for number, each in enumerate(todo):
            self._todo.put((number, each))
        self.done: dict[int, R] = {}
        self.failure: BaseException | None = None
        # Daemons: a thread that hangs in a dead connection does not keep the command from ending.
        count = min(ABREAST, len(todo))
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def _run(self) -> None:
        try:
            while self.failure is None and not self._stop.is_set():
                number, each = self._todo.get_nowait()
                self.done[number] = self._work(each)
        except (queue.Empty, Interrupted):
            return
        except BaseException as error:  # raised by whoever waits
            self.failure = self.failure or error
            self._stop.set()


def do_abreast(todo: Sequence[T], work: Callable[[T], R], stop: threading.Event) -> list[R]:
    """What `work` gives for each of `todo`. Raises what the first to fail raised.

    `stop` is set when something fails, or the user interrupts.
    """
    team = _Team(todo, work, stop)
    for thread in team.threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in team.threads):
            for thread in team.threads:
                thread.join(_LOOK)
    except KeyboardInterrupt:
        stop.set()
        for thread in team.threads:
            thread.join(_GRACE / ABREAST)
        raise
    if team.failure is not None:
        raise team.failure
    if len(team.done) < len(todo):
        raise CliFailure("Not all was done")
    return [team.done[number] for number in range(len(todo))]
