"""Describes one long-running process of the stack: how it starts, when it is well, how it stops."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Service:
    """`role` is its key in stack.json; several services may share one."""

    name: str
    title: str = ""  # what people are told
    role: str
    command: Sequence[str]
    healthy: Callable[[], bool]
    environ: Mapping[str, str] | None = None  # the whole environment; None: the same as ours
    prepare: Callable[[], None] = _nothing  # before every start: mends what a crash left behind
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 10.0  # seconds from the stop signal to SIGKILL
    lists_children: bool = False  # whether stack.json names its child processes too
