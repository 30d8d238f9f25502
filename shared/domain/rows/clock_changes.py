"""Warnings about wall-clock times that a daylight-saving change skips or repeats."""

from collections.abc import Mapping

from shared.domain.networks.warning import WarningText
from shared.domain.timing.local_time import ClockChange

_REMEDY = "Look at the plan; name another time, or give this one its offset from UTC."
CLOCK_CHANGES: Mapping[ClockChange, WarningText] = {
    ClockChange.SKIPPED: WarningText(
        code="time_is_skipped",
        message="The clock skips this time on that day (daylight saving): the time is later by as"
        " much as the clock is put forward",
        remedy=_REMEDY,
    ),
    ClockChange.REPEATED: WarningText(
        code="time_comes_twice",
        message="The clock shows this time twice on that day (daylight saving): the first is meant",
        remedy=_REMEDY,
    ),
}
