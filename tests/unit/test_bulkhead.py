"""How many children an account may have at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.bulkhead import Bulkhead, Served, admits

HEALTHY, HANGS, HANGS_TOO = (
    Served(account_id=1, suspect=False),
    Served(account_id=2, suspect=True),
    Served(account_id=3, suspect=True),
)
LONG, LONG_TOO = (
    Served(account_id=4, suspect=False, long=True),
    Served(account_id=5, suspect=False, long=True),
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
        ([LONG], LONG_TOO, 2, False),  # what is due in the meantime is released by the last child
        ([LONG], LONG_TOO, 3, True),
        ([LONG], HANGS, 2, True),
        ([], LONG, 1, True),
    ],
)
def test_who_is_let_in(served: list[Served], wanted: Served, children: int, admitted: bool) -> None:
    assert admits(served, wanted, children=children) is admitted


def test_only_living_children_of_the_same_pool_count(tmp_path: Path) -> None:
    """Killed children leave their files, and the system gives their numbers to others."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        for pid in (stranger.pid, gone.pid, os.getppid()):
            (tmp_path / str(pid)).write_text("7 1")
        assert Bulkhead(4, tmp_path)._served() == []
