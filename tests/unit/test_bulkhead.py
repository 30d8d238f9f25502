"""How many children an account may have at once."""

import pytest

from worker.bulkhead import Served, admits

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
    assert admits(served, wanted, children=children) is admitted
