"""A server listens seconds after its port was chosen; until then too nobody else chooses it."""

import subprocess
import sys

from local import ports
from local.child import ROOT

# Chooses what it gets out of 200 ports, prints them, and lives until its input ends.
_CHOOSES_ALL = """
import sys
from local import ports
from local.errors import StackError

ports._CHOICE = range(int(sys.argv[1]), int(sys.argv[1]) + 200)
chosen = []
try:
    for _ in range(300):
        chosen.append(ports.free_port())
except StackError:
    pass
print(*chosen, flush=True)
sys.stdin.read()
"""


def test_no_two_choices_are_the_same_port() -> None:
    mine = ports.free_port()
    first = min(mine, ports._CHOICE.stop - 200)
    with subprocess.Popen(
        [sys.executable, "-c", _CHOOSES_ALL, str(first)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as another:
        assert another.stdout is not None
        theirs = [int(port) for port in another.stdout.readline().split()]
        assert len(theirs) == len(set(theirs)) > 100
        assert mine not in theirs
        assert all(ports.is_free(port) for port in theirs), "what is kept can be listened on"
        assert ports.same_port(theirs[0]) != theirs[0]
        another.communicate()
    assert ports.same_port(theirs[0]) == theirs[0], "what an ended process had can be chosen"
