"""Times are looked at before anything is uploaded, in the words of the options."""

from pathlib import Path

import pytest

from cli.failures import CliFailure, UsageFailure
from cli.publishing.order import Timing, require_times
from cli.publishing.rows import PostRow


def row(publish_at: str | None) -> PostRow:
    files = [Path("a.mp4")]
    place = "posts.csv, line 2"
    return PostRow(files=files, caption="a", channels=["c"], publish_at=publish_at, place=place)


def timing(*, slots: list[str] | None = None, start: str | None = None) -> Timing:
    return Timing(interval=None, slots=slots, start=start, zone="UTC")


@pytest.mark.parametrize("slot", ["9:00", "24:00", "09:60", "09:00:00", "nine"])
def test_a_slot_is_a_time_of_the_day(slot: str) -> None:
    with pytest.raises(UsageFailure, match=f"--slots: '{slot}'"):
        require_times(timing(slots=["09:00", slot]), [])


@pytest.mark.parametrize("start", ["tomorrow", "2031-13-01", "09:00", ""])
def test_a_start_is_a_time(start: str) -> None:
    with pytest.raises(UsageFailure, match="--start"):
        require_times(timing(start=start), [])


def test_a_row_s_own_time_is_one_and_may_be_left_out() -> None:
    good = [row(None), row(""), row("2031-08-01T09:00"), row("2031-08-01T09:00:00+02:00")]
    require_times(timing(slots=["00:00", "23:59"], start="2031-08-01"), good)
    with pytest.raises(CliFailure, match="line 2: publish_at 'soon'"):
        require_times(timing(), [*good, row("soon")])
