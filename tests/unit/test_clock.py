"""What beat sends: nothing that is of no use seconds later may wait behind the workers' work."""

import pytest

from shared.enqueue import EXPIRES, RELEASE
from worker.clock import ENTRIES


@pytest.mark.parametrize("name", ENTRIES)
def test_what_expires_before_a_long_line_has_passed_does_not_stand_in_it(name: str) -> None:
    """So long may the line of a pool be that cannot keep up."""
    options = ENTRIES[name]["options"]
    assert isinstance(options, dict)
    assert options["expires"] >= EXPIRES or options["queue"] == RELEASE
