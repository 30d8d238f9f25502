"""Sleeps until a child ends, a signal comes, or the time is over."""

import select
import signal
import socket
from contextlib import suppress
from types import FrameType


class Sleep:
    """For the main thread of a process, as Python handles signals only there."""

    def __init__(self) -> None:
        self._heard, told = socket.socketpair()
        for end in (self._heard, told):
            end.setblocking(False)
        self._told = told  # kept open
        signal.signal(signal.SIGCHLD, _ignore_signal)  # else the system would not tell of it
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def wait(self, seconds: float) -> None:
        select.select([self._heard], [], [], seconds)
        with suppress(BlockingIOError):
            self._heard.recv(4096)


def _ignore_signal(_number: int, _frame: FrameType | None) -> None:
    return None
