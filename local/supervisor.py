"""Starts services stage by stage, starts again what dies, and stops all in the opposite order."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from local.child import Child, stop
from local.errors import StackError
from local.logs import keep_bounded, last_lines
from local.service import Service
from local.sleep import Sleep
from local.stack_file import Processes

_START_LOOK_SECONDS = 0.05  # between two looks at the processes while they start,
_LOOK_SECONDS = 2.0  # and afterwards, unless one of them ends
_START_SECONDS = 300.0  # for one stage to be healthy, on a slow machine
_START_TRIES = 3
_PAUSE_LIMIT = 5.0  # seconds between two starts of a service that keeps dying
_STEADY_SECONDS = 5.0  # a service that lived this long has forgotten its earlier deaths

logger = logging.getLogger("local")


class StopRequested(Exception):
    """Someone asked the stack to stop while it was starting."""


class Slot:
    """One service and, unless it has just died, the child that runs it."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.child: Child | None = None
        self.deaths = 0
        self.was_healthy = False
        self.last_error = ""
        self._start_at = 0.0
        self._question: tuple[Child | None, Future[bool] | None] = (None, None)

    def tend(self) -> None:
        """Buries the child if it is dead, and starts another once the pause is over."""
        if self.child is not None and self.child.has_ended():
            self._bury(self.child)
        if self.child is None and time.monotonic() >= self._start_at:
            self._start()

    def is_healthy(self, threads: ThreadPoolExecutor) -> bool:
        """The last answer of the child that runs now, which is asked again in one of `threads`."""
        child, answer = self._question
        if answer is not None and not answer.done():
            return False
        is_alive = self.child is not None and not self.child.has_ended()
        self.was_healthy = is_alive and child is self.child and bool(answer and answer.result())
        if not self.was_healthy:
            self._question = self.child, threads.submit(self.service.healthy)
        return self.was_healthy

    def _start(self) -> None:
        try:
            self.child = Child(self.service, self.log)
            self.last_error = ""
        except Exception as error:  # whatever it is, the other services have to go on
            self.last_error = str(error)
            self._count_death(f"{self.service.name} could not be started: {error}")

    def _bury(self, child: Child) -> None:
        if self.was_healthy and time.monotonic() - child.started_at > _STEADY_SECONDS:
            self.deaths = 0
        status = child.bury()
        self.child = None
        self._count_death(f"{self.service.name} ended ({_in_words(status)})")

    def _count_death(self, what: str) -> None:
        pause = min(0.5 * 2**self.deaths - 0.5, _PAUSE_LIMIT)
        self.deaths += 1
        self._start_at = time.monotonic() + pause
        logger.warning("%s; starting it again%s", what, f" in {pause:g} s" if pause else "")


class Supervisor:
    """`changed` is told the processes by role whenever they are no longer the same."""

    def __init__(
        self,
        *,
        log: Callable[[str], Path],
        changed: Callable[[Processes], None],
        stop_requested: Callable[[], bool],
    ) -> None:
        self._log = log
        self._changed = changed
        self._stop_requested = stop_requested
        self._stages: list[list[Slot]] = []
        self._seen: Processes = {}
        self._sleep = Sleep()

    def start(self, services: Sequence[Service]) -> None:
        """Returns once all are healthy; raises `StackError` when one cannot be started."""
        stage = [Slot(service, self._log(service.name)) for service in services]
        self._stages.append(stage)
        deadline = time.monotonic() + _START_SECONDS
        # all are asked at the same time: one that does not answer yet may take seconds to say so
        threads = ThreadPoolExecutor(len(stage), thread_name_prefix="health")
        try:
            waiting = stage
            while waiting:
                self._look(_START_LOOK_SECONDS)
                waiting = [slot for slot in waiting if not slot.is_healthy(threads)]
                for slot in waiting:
                    _give_up_on_hopeless(slot, too_late=time.monotonic() > deadline)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def run_once(self, service: Service) -> None:
        """Runs a service that ends by itself; raises `StackError` when it fails."""
        child = Child(service, self._log(service.name))
        try:
            while not child.has_ended():
                self._look(_START_LOOK_SECONDS)
        finally:
            stop([child])
        if child.bury() != 0:
            raise StackError(f"{service.name} failed; its log ends with:\n{last_lines(child.log)}")

    def watch(self) -> None:
        """Keeps everything running until it is asked to stop."""
        while True:
            try:
                self._look(_LOOK_SECONDS if self._all_run() else _START_LOOK_SECONDS)
            except StopRequested:
                return

    def stop(self) -> None:
        for stage in reversed(self._stages):
            stop([slot.child for slot in stage if slot.child is not None])
        self._stages.clear()

    def processes(self) -> Processes:
        found: dict[str, list[int]] = {}
        for slot in (slot for stage in self._stages for slot in stage):
            pids = found.setdefault(slot.service.role, [])
            if slot.child is not None:
                pids.extend(slot.child.pids())
        return found

    def _all_run(self) -> bool:
        return all(slot.child is not None for stage in self._stages for slot in stage)

    def _look(self, pause: float) -> None:
        for slot in (slot for stage in self._stages for slot in stage):
            slot.tend()
            keep_bounded(slot.log)
        now = self.processes()
        if now != self._seen:
            self._seen = now
            self._changed(now)
        if self._stop_requested():
            raise StopRequested
        self._sleep.wait(pause)


def _give_up_on_hopeless(slot: Slot, *, too_late: bool) -> None:
    if slot.deaths >= _START_TRIES or too_late:
        what = "keeps ending" if slot.deaths >= _START_TRIES else "does not become healthy"
        told = slot.last_error or f"its log ends with:\n{last_lines(slot.log)}"
        raise StackError(f"{slot.service.name} {what}; {told}\n(the whole log: {slot.log})")


def _in_words(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
