"""What is done to the processes and the broker: kills, freezes, floods, a second clock."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import redis
import requests
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from local.child import ROOT
from shared.models import Account, AccountMedia
from shared.task_queue import Waker, make_sender
from tests.chaos.arena import Arena
from tests.chaos.diary import Diary
from tests.chaos.options import LEASE

#: Which processes are killed, and how often.
VICTIMS = {
    "worker-child": 45,
    "worker-main": 15,
    "web-main": 8,
    "web-child": 10,
    "beat": 10,
    "valkey": 7,
    "postgres": 5,
}


class Harm:
    def __init__(self, arena: Arena, diary: Diary) -> None:
        self._arena = arena
        self._diary = diary
        facts = arena.facts()
        self._redis_url = facts["redis_url"]
        self._waker = Waker(make_sender(self._redis_url))

    def kill(self, role: str, rng: random.Random) -> None:
        """kill -9 of one process of the role; waits for one where it is just being started."""
        for _ in range(100):
            pids = self._arena.pids(role)
            if pids:
                pid = rng.choice(pids)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self._diary.note("kill", role)
                    return
            time.sleep(0.2)

    def freeze(self, rng: random.Random) -> None:
        """Stop a worker child for longer than its leases, and let it go on."""
        children = self._arena.pids("worker-child")
        if not children:
            return
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(rng.choice(children))
            process.suspend()
            self._diary.note("freeze")
            time.sleep(LEASE + rng.uniform(1, 4))
            process.resume()
            self._diary.note("thaw")

    def flush(self, _rng: random.Random) -> None:
        with suppress(redis.RedisError), redis.Redis.from_url(self._redis_url) as broker:
            broker.flushall()
            self._diary.note("flushall")

    def flood(self, rng: random.Random) -> None:
        """Every wake-up several times over, in any order, needed or not."""
        accounts: list[int] = []
        uploads: list[int] = []
        with suppress(SQLAlchemyError), self._arena.database.transaction() as session:
            accounts = list(session.scalars(select(Account.id)))
            uploads = list(session.scalars(select(AccountMedia.id).limit(20)))
        words = ["stage", "reconcile", "track"]
        messages: list[tuple[str, tuple[int, ...]]] = [
            (f"pressroom.{word}", (account,)) for word in words for account in accounts
        ]
        messages += [("pressroom.upload", (upload,)) for upload in uploads]
        alone = [(f"pressroom.{word}", ()) for word in ("release", "tick", "sweep")]
        messages = rng.choices([*messages, *alone], k=60)
        for task, args in messages + messages:
            self._waker.wake(task, *args)
        self._diary.note("flood")

    def second_beat(self, rng: random.Random) -> None:
        """Another clock from the first one's own command line, ended as rudely as it may be."""
        pids = self._arena.pids("beat")
        if not pids:
            return
        with suppress(psutil.Error):
            beat = psutil.Process(pids[0])
            command, environ = beat.cmdline(), beat.environ()
            second = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._diary.note("second beat")
            time.sleep(rng.uniform(8, 15))
            second.kill()
            second.wait()


Act = Callable[[random.Random], None]


def perform(act: Act, rng: random.Random) -> None:
    """The stand-in's controls are away while it refuses connections: then it is not done."""
    with suppress(requests.RequestException):
        act(rng)


def in_background(act: Act, rng: random.Random) -> threading.Thread:
    thread = threading.Thread(target=perform, args=(act, rng), daemon=True)
    thread.start()
    return thread
