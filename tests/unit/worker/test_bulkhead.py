"""How many children an account may have at once."""

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest

from shared.db import Database
from tests.timing.patience import PATIENCE
from worker.bulkhead import Bulkhead, Served, may_serve

HEALTHY, HANGS, HANGS_TOO = (
    Served(account_id=1, suspect=False),
    Served(account_id=2, suspect=True),
    Served(account_id=3, suspect=True),
)


@pytest.mark.parametrize(
    ("served", "wanted", "children", "admitted"),
    [
        ([], HEALTHY, 1, True),
        ([], HANGS, 1, True),
        ([HEALTHY], HEALTHY, 2, False),  # one account never takes the last child
        ([HEALTHY], HEALTHY, 3, True),
        ([HEALTHY, HEALTHY], HEALTHY, 3, False),
        ([HANGS], HEALTHY, 2, True),
        ([HANGS], HANGS_TOO, 2, False),  # accounts that hang share half of the children
        ([HANGS], HANGS_TOO, 4, True),
        ([HANGS, HANGS_TOO], HANGS, 4, False),
        ([HEALTHY], HANGS, 2, True),
    ],
)
def test_who_is_let_in(served: list[Served], wanted: Served, children: int, admitted: bool) -> None:
    assert may_serve(served, wanted, children=children) is admitted


def test_only_living_children_of_the_same_pool_count(tmp_path: Path) -> None:
    """Killed children leave their files, and the system gives their numbers to others."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        for pid in (stranger.pid, gone.pid, os.getppid()):
            (tmp_path / str(pid)).write_text("7 1 0")
        assert Bulkhead(4, tmp_path)._read_others() == []


FORK = multiprocessing.get_context("fork")
NO_DATABASE: Database = None  # type: ignore[assignment]  # who names `suspect` needs none


def child(folder: Path, at_once: Barrier, answers: "Queue[bool]", over: Event) -> None:
    """One of three that come for the same account, which hangs."""
    at_once.wait()
    place = Bulkhead(3, folder).place(NO_DATABASE, 1, suspect=True)
    with place as admitted:
        answers.put(admitted)
        over.wait()


def test_of_children_that_come_at_once_no_more_are_let_in_than_may_be(tmp_path: Path) -> None:
    for number in range(20):
        at_once, answers, over = FORK.Barrier(3), FORK.Queue(), FORK.Event()
        folder = tmp_path / f"pool-{number}"
        asked = (folder, at_once, answers, over)
        children = [FORK.Process(target=child, args=asked) for _ in range(3)]
        for process in children:
            process.start()
        admitted = [answers.get(timeout=PATIENCE) for _ in children]
        over.set()
        for process in children:
            process.join()
        assert sum(admitted) <= 1
        assert list(folder.iterdir()) == []


class Scripted(Bulkhead):
    """Sees, at each look, what the script says of the other children."""

    script: list[list[Served]]

    def _read_others(self) -> list[Served]:
        return self.script.pop(0)


@pytest.mark.parametrize(
    ("script", "admitted", "left"),
    [
        ([[replace(HANGS, asks=True)], [replace(HANGS, asks=True)], []], True, 0),
        ([[HANGS], []], False, 1),
    ],
)
def test_who_only_asks_is_asked_about_again_and_who_serves_is_not(
    tmp_path: Path, script: list[list[Served]], admitted: bool, left: int
) -> None:
    bulkhead = Scripted(2, tmp_path)
    bulkhead.script = list(script)
    with bulkhead.place(NO_DATABASE, 3, suspect=True) as may:
        assert may is admitted
    assert len(bulkhead.script) == left
    assert list(tmp_path.iterdir()) == []
