"""Releaser: makes many releases at a time, from a bounded pool of threads.

A call that takes long stays with its thread when the run that started it ends, so that the child
can go on with other work. The thread then records how the call ended.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial

from shared import db
from shared.containment import contain_failures
from shared.domain.publishing.call_places import CallPlaces, free_places
from shared.domain.publishing.fairness import DueProfile, share_turns
from shared.log import get_logger
from worker.accounts import health_probe
from worker.releasing.claims import Release, claim_releases
from worker.releasing.due_posts import Turns
from worker.releasing.last_check import LastCheck
from worker.releasing.release import Answer, AnswerRecorder, send_release
from worker.runtime import Runtime

log = get_logger("releases")
PLACES = CallPlaces(total=128, quick=32, unsure=1, all_unsure=64)
#: A server is quick if it answers within this time, and no call waits for longer (seconds).
QUICK_SECONDS = 1.0
#: For so long a read that was answered shows that an account has recovered (seconds).
PROBE_SECONDS = 1.0


@dataclass(eq=False)
class _Call:
    """A call under way, or about to start; `began`: on the monotonic clock."""

    server: str
    account_id: int
    began: float = field(default_factory=time.monotonic)


class Releaser:
    """The calls of a process that are under way, and the threads that make them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._last_check = LastCheck(runtime.database)
        self._recorder = runtime.keep(AnswerRecorder)
        self._threads = ThreadPoolExecutor(PLACES.total, thread_name_prefix="release")
        self._changed = threading.Condition()
        self._under_way: set[_Call] = set()
        self._ended = 0  # calls so far
        self._answers: list[Answer] = []
        self._errors: list[Exception] = []
        self._runs = 0
        self._quick: set[str] = set()
        #: By account: when a read was answered that was made after a failure (monotonic)
        self._probed: dict[int, float] = {}

    def close(self) -> None:
        """Waits for calls under way; each has a time limit."""
        self._threads.shutdown(wait=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, answers wait for `record`; outside, each thread records its own."""
        with self._changed:
            self._runs += 1
        try:
            yield
        finally:
            with self._changed:
                self._runs -= 1
                answers, self._answers = self._answers, []
            self._recorder.record(answers)

    def start(self, due: Sequence[DueProfile]) -> None:
        """Start releases of these profiles, in this order, as far as there is room for calls."""
        ready: list[DueProfile] = []
        unsound: list[DueProfile] = []
        for profile in due:
            (ready if self._may_release(profile) else unsound).append(profile)
        self._start_probes(unsound)
        turns = share_turns(ready, self._room_for(ready))
        wanted = [
            Turns(due=profile, count=turns[profile.profile_id] if profile.sound else 1)
            for profile in ready
            if profile.profile_id in turns
        ]
        if not wanted:
            return
        for chosen in wanted:
            self._probed.pop(chosen.due.account_id, None)
            self._runtime.last_releases[chosen.due.profile_id] = time.monotonic()
        for release in claim_releases(self._runtime, wanted):
            call = _Call(release.server, release.credentials.account_id)
            self._submit(call, partial(self._make_release, call, release))

    def wait(self, calls: int, seconds: float) -> None:
        """Until so many more calls have ended."""
        with self._changed:
            target = self._ended + calls
            self._changed.wait_for(lambda: self._ended >= target, timeout=seconds)

    def count_calls_since(self, began: float) -> int:
        """Calls under way that began after this moment (monotonic)."""
        with self._changed:
            return sum(call.began >= began for call in self._under_way)

    def record(self) -> set[int]:
        """Record the answers so far, and return their accounts.

        Raises the first unexpected error of a thread.
        """
        with self._changed:
            answers, self._answers = self._answers, []
            errors, self._errors = self._errors, []
        self._recorder.record(answers)
        if errors:
            raise errors[0]
        return {answer.release.credentials.account_id for answer in answers}

    def _may_release(self, profile: DueProfile) -> bool:
        probed_at = self._probed.get(profile.account_id, -PROBE_SECONDS)
        return profile.sound or time.monotonic() - probed_at < PROBE_SECONDS

    def _room_for(self, due: Sequence[DueProfile]) -> dict[str, int]:
        """How many calls may start, by server."""
        with self._changed:
            calls = Counter(call.server for call in self._under_way)
            late = time.monotonic() - QUICK_SECONDS
            slow = {call.server for call in self._under_way if call.began < late}
            quick = frozenset(self._quick - slow)
        room: dict[str, int] = {}
        for profile in due:
            server = profile.server
            if server not in room:
                places = free_places(PLACES, server, calls, quick=quick)
                room[server] = min(places, profile.writes)
                calls[server] += room[server]
        return room

    def _start_probes(self, unsound: Sequence[DueProfile]) -> None:
        """Read from accounts that failed, before anything of them is released."""
        room = self._room_for(unsound)
        with self._changed:
            busy = {call.account_id for call in self._under_way}
        for profile in unsound:
            if profile.account_id not in busy and room[profile.server]:
                busy.add(profile.account_id)
                room[profile.server] -= 1
                call = _Call(profile.server, profile.account_id)
                self._submit(call, partial(self._make_probe, profile.account_id))

    def _submit(self, call: _Call, make: Callable[[], None]) -> None:
        with self._changed:
            self._under_way.add(call)
        self._threads.submit(copy_context().run, self._run_call, call, make)  # logs name the task

    def _run_call(self, call: _Call, make: Callable[[], None]) -> None:
        try:
            make()
        except Exception as error:
            self._keep_error(call, error)
        finally:
            with self._changed:
                self._under_way.discard(call)
                self._ended += 1
                self._changed.notify_all()

    def _keep_error(self, call: _Call, error: Exception) -> None:
        """A run raises it. Without a run it is logged; the post's lease ends, and it is read."""
        with self._changed:
            if self._runs:
                self._errors.append(error)
                return
        if db.is_away(error):
            log.warning("the database is away", account=call.account_id)
            return
        with contain_failures("release", account=call.account_id):
            raise error

    def _make_probe(self, account_id: int) -> None:
        if health_probe.confirm_healthy(self._runtime, account_id):
            self._probed[account_id] = time.monotonic()

    def _make_release(self, call: _Call, release: Release) -> None:
        answer = send_release(self._runtime, self._last_check, release)
        with self._changed:
            is_quick = answer.error is None and answer.seconds < QUICK_SECONDS
            (self._quick.add if is_quick else self._quick.discard)(call.server)
            if self._runs:
                self._answers.append(answer)
                return
        self._recorder.record([answer])
        self._runtime.waker.reconcile(call.account_id)
