"""How a job's posts are handed to Postiz: each to its calendar, or staged and released by us."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

CALENDAR = "calendar"
STAGED = "staged"
AUTO = "auto"

#: Postiz's default limit on counted calls an hour, assumed until the account's own is known.
ASSUMED_BUDGET = 30
#: The time that a post needs, besides settling, to be in Postiz's calendar before it is due.
MARGIN = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """`budget`: counted calls that the account has left, None while unknown."""

    now: datetime
    budget: int | None
    settle: timedelta


def choose_handoff(
    times: Iterable[datetime], situation: Situation, *, wanted: str = AUTO, drafts: bool = False
) -> str:
    """`calendar` or `staged`: what the user wants, else what gets every post to Postiz in time.

    The calendar costs a counted call per distinct time. A user's draft keeps its own date, so it
    always goes to the calendar.
    """
    if drafts:
        return CALENDAR
    if wanted != AUTO:
        return wanted
    distinct = set(times)
    budget = ASSUMED_BUDGET if situation.budget is None else situation.budget
    soonest = situation.now + situation.settle + MARGIN
    in_time = all(moment >= soonest for moment in distinct)
    return CALENDAR if in_time and len(distinct) <= budget else STAGED
