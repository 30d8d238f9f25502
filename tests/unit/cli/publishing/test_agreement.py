"""What is published has the times of the plan that was agreed to."""

from pathlib import Path
from typing import Any

import pytest

from cli.publishing.order import Timing
from cli.publishing.rows import PostRow
from cli.publishing.run import Wishes, agree_on

ROWS = [PostRow(files=[Path("a.mp4")], caption="a", channels=["c"], place="a.mp4")] * 2
MORNING, EVENING, TOMORROW = (
    "2031-08-01T09:00:00Z",
    "2031-08-01T18:30:00Z",
    "2031-08-02T09:00:00Z",
)


def plan(*times: str) -> dict[str, Any]:
    rows = [{"publish_at": at, "errors": []} for at in times]
    return {"rows": rows, "posts": len(rows), "warnings": [], "requires_approval": False}


def agree(plans: list[dict[str, Any]], *answers: bool) -> bool:
    """`plans`: those that are left were not needed."""
    given = list(answers)
    timing = Timing(interval=None, slots=["09:00", "18:30"], start=None, zone="UTC")
    wishes = Wishes(
        source=Path(),
        timing=timing,
        ask=(lambda _: given.pop(0)) if answers else None,
        again=False,
        dry_run=False,
    )
    agreed = agree_on(lambda: plans.pop(0), ROWS, wishes)
    assert given == []
    return agreed is not None


def test_a_plan_whose_slot_went_by_meanwhile_is_shown_and_asked_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    later = plan(EVENING, TOMORROW)
    assert agree([plan(MORNING, EVENING), later, later], True, True)
    told = capsys.readouterr().err
    assert told.index("09:00") < told.index("Meanwhile") < told.index("2031-08-02")
    assert not agree([plan(MORNING, EVENING), later], True, False)


def test_a_plan_that_holds_is_asked_once_and_one_that_nobody_sees_is_made_once() -> None:
    soon = "2031-08-01T09:00:59Z"
    assert agree([plan(MORNING, EVENING), plan(soon, EVENING)], True)
    assert agree([plan(MORNING, EVENING)])
