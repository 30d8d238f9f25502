"""How long a test waits for what has to come: far longer than any machine at work needs.

A test that fails waits in vain; one that passes waits no longer than it takes. What is judged by a
clock is judged by `make bench`.
"""

import time
from collections.abc import Callable

PATIENCE = 300.0


def wait_until(met: Callable[[], bool], why: Callable[[], str] = str) -> None:
    """Fails with `why` where it is never so."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)
