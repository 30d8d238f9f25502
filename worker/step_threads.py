"""Runs the steps of accounts in threads, so that an account that hangs occupies no child.

A child waits for a step for a short time. A step that takes longer stays with its thread, and the
child goes on with other work. Each account has a bounded share of the threads; what is refused is
tried again within seconds, because the sweep wakes it again.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from shared.domain.publishing.call_places import CallPlaces, free_places
from shared.log import get_logger
from worker.runtime import Runtime

log = get_logger("steps")
PLACES = CallPlaces(total=32, quick=4, unsure=2, all_unsure=16)
#: How long a child waits for a step (seconds): longer than most steps take.
WAIT_SECONDS = 1.5
#: The same for an account that is new or slow: many of them may hang together.
UNSURE_WAIT_SECONDS = 0.25


class StepThreads:
    """The steps of a process that are under way."""

    def __init__(self, runtime: Runtime) -> None:
        self._threads = ThreadPoolExecutor(PLACES.total, thread_name_prefix="step")
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._quick: set[str] = set()

    def close(self) -> None:
        """Waits for steps under way; each of their calls has a time limit."""
        self._threads.shutdown(wait=True)

    def run(self, account_id: int, step: Callable[[], None]) -> bool:
        """Run a step of the account, and return whether it had room.

        Raises what the step raises, unless it takes so long that it is left to its thread.
        """
        account = str(account_id)
        with self._lock:
            quick = frozenset(self._quick)
            if not free_places(PLACES, account, self._under_way, quick=quick):
                return False
            self._under_way[account] += 1
        future = self._threads.submit(copy_context().run, self._run_step, account, step)
        seconds = WAIT_SECONDS if account in quick else UNSURE_WAIT_SECONDS
        if wait([future], seconds).done:
            future.result()
            return True
        with self._lock:
            self._quick.discard(account)
        future.add_done_callback(partial(_log_late_end, account_id))
        return True

    def _run_step(self, account: str, step: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            step()
        finally:
            with self._lock:
                is_quick = time.monotonic() - began < WAIT_SECONDS
                (self._quick.add if is_quick else self._quick.discard)(account)
                self._under_way[account] -= 1
                self._under_way += Counter()  # without zeros


def _log_late_end(account_id: int, future: Future[None]) -> None:
    """Nobody waits for it any more; leases return what it had claimed."""
    error = future.exception()
    if error is not None:
        words = str(error).splitlines()[0] if isinstance(error, SQLAlchemyError) else repr(error)
        log.warning("a step failed late", account=account_id, reason=words)
