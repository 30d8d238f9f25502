"""The calendar: days, weeks and months of what went out, is planned, and schedules will add."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy.orm import Session

from shared import db
from shared.domain.publishing.states import PostState
from shared.overview import calendar_days
from shared.overview.calendar_days import Day, DayFilter
from shared.posts import edits
from shared.schedules import future_runs
from shared.schedules.future_runs import FutureRun
from web.auth import current_caller
from web.pages.layout import create_reader_blueprint, show
from web.pages.posts import list_offered
from web.request_parsing.reader_zone import read_zone, unknown_zone
from web.services import current_services

pages = create_reader_blueprint("calendar_pages")

CALENDAR = "/calendar"
DAY, WEEK, MONTH = "day", "week", "month"
#: Posts and runs of a day that are shown in each view; the list has the others.
SHOWN: Mapping[str, int] = {DAY: 300, WEEK: 20, MONTH: 4}
MOVABLE = (
    PostState.PENDING,
    PostState.WAITING_APPROVAL,
    PostState.HELD,
    PostState.STAGED,
    PostState.SCHEDULED,
    PostState.DRAFT,
)
assert set(MOVABLE) <= {*edits.EDITABLE, PostState.SCHEDULED}
_FIRST, _LAST = date(2000, 1, 1), date(2099, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Period:
    """What one page shows, and where the next and the last one begin."""

    view: str
    first: date
    days: int
    chosen: date
    before: date
    after: date

    @property
    def dates(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range(self.days)]

    @property
    def title(self) -> str:
        if self.view == DAY:
            return f"{self.chosen:%A, %d %B %Y}"
        if self.view == MONTH:
            return f"{self.chosen:%B %Y}"
        last = self.first + timedelta(days=self.days - 1)
        return f"{self.first:%d %B} to {last:%d %B %Y}"


def period_of(view: str, chosen: date) -> Period:
    """Weeks begin on Monday; a month is shown with the whole weeks that it is part of."""
    monday = chosen - timedelta(days=chosen.weekday())
    if view == DAY:
        first, days, step = chosen, 1, timedelta(days=1)
    elif view == MONTH:
        begin, length = chosen.replace(day=1), monthrange(chosen.year, chosen.month)[1]
        first = begin - timedelta(days=begin.weekday())
        days = -(-((begin - first).days + length) // 7) * 7
        before, after = begin - timedelta(days=1), begin + timedelta(days=length)
        return Period(
            view=view,
            first=first,
            days=days,
            chosen=chosen,
            before=before.replace(day=1),
            after=after,
        )
    else:
        first, days, step = monday, 7, timedelta(days=7)
    return Period(
        view=view, first=first, days=days, chosen=chosen, before=chosen - step, after=chosen + step
    )


@pages.get(CALENDAR)
def show_calendar() -> Response:
    zone, view = read_zone(), request.args.get("view", WEEK)
    channel, profile = (request.args.get(name, "")[:200] for name in ("channel", "profile"))
    visible = current_caller().visible
    wanted = DayFilter(
        visible=visible.narrowed_to(profile) if profile else visible, integration_id=channel or None
    )
    with current_services().database.transaction() as session:
        now = db.read_clock(session)
        today = now.astimezone(zone).date()
        period = period_of(view if view in SHOWN else WEEK, _read_day(today))
        days = calendar_days.read_days(
            session, wanted, period.dates, zone, shown=SHOWN[period.view]
        )
        runs = {} if channel else _runs_by_day(session, wanted, days, now, zone)
        offered = list_offered(session, visible)
    kept = {"tz": request.args.get("tz", ""), "channel": channel, "profile": profile}
    return show(
        "calendar.html",
        title=period.title,
        path=CALENDAR,
        period=period,
        days=days,
        runs=runs,
        today=today,
        zone=zone,
        unknown_zone=unknown_zone(),
        shown=SHOWN[period.view],
        most=calendar_days.MOST,
        movable=MOVABLE,
        views=list(SHOWN),
        chosen={"channel": channel, "profile": profile},
        offered=offered,
        kept=urlencode({name: value for name, value in kept.items() if value}),
    )


def _read_day(today: date) -> date:
    """The day in the address, within what a calendar can show; else today."""
    try:
        found = date.fromisoformat(request.args.get("date", ""))
    except ValueError:
        return today
    return min(max(found, _FIRST), _LAST)


def _runs_by_day(
    session: Session, wanted: DayFilter, days: list[Day], now: datetime, zone: ZoneInfo
) -> Mapping[date, list[FutureRun]]:
    since = max(now, days[0].since)
    found: dict[date, list[FutureRun]] = defaultdict(list)
    if since < days[-1].until:
        for run in future_runs.list_future_runs(session, wanted.visible, since, days[-1].until):
            found[run.at.astimezone(zone).date()].append(run)
    return found
