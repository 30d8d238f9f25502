"""The supervisor's sleep: it ends with a child, with a signal, and with its time."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from local.sleep import Sleep
from tests.timing.patience import PATIENCE


@pytest.fixture
def sleep() -> Iterator[Sleep]:
    """The signals of this process are as they were afterwards."""
    before = signal.getsignal(signal.SIGCHLD)
    yield Sleep()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, before)


def test_it_ends_when_a_child_does(sleep: Sleep) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.close()
    began = time.monotonic()
    sleep.wait(PATIENCE)
    assert time.monotonic() - began < PATIENCE / 2
    child.wait()


def test_it_ends_when_a_signal_comes(sleep: Sleep) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    began = time.monotonic()
    sleep.wait(PATIENCE)
    signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]
    assert time.monotonic() - began < PATIENCE / 2


def test_it_ends_when_its_time_is_over(sleep: Sleep) -> None:
    began = time.monotonic()
    sleep.wait(0.1)
    assert time.monotonic() - began >= 0.1
