"""What beat sends: it outlasts a line of work that takes a pool some seconds."""

import pytest

from shared.task_queue import EXPIRES
from worker.beat_schedule import ENTRIES, ROUNDS

SENT = {**ENTRIES, **ROUNDS}


@pytest.mark.parametrize("name", SENT)
def test_what_the_clock_sends_waits_as_long_as_any_other_wake_up(name: str) -> None:
    options = SENT[name]["options"]
    assert isinstance(options, dict)
    assert options["expires"] >= EXPIRES
