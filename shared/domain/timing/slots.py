"""The slots of days: the same wall-clock times each day, numbered from a start."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.domain.timing.local_time import local_day, on_day

_DAY = timedelta(days=1)


class Slots:
    """The moments from `start` on, without end, at which the clock in `zone` shows one of `walls`.

    If a change of the clock puts two on one moment, they count once; a day that the zone skipped
    has none. A day is cheap to count, so a slot may be years ahead.
    """

    def __init__(self, start: datetime, walls: Iterable[time], zone: ZoneInfo) -> None:
        self._walls = sorted(set(walls))
        self._zone = zone
        self._first = local_day(start, zone)
        self._odd = {0: [moment for moment in self._moments_of_day(self._first) if moment >= start]}
        self._before = [0, len(self._odd[0])]  # how many slots there are before each day

    def at(self, number: int) -> datetime:
        """The slot with that number; numbers start at 0."""
        while self._before[-1] <= number:
            self._count_another_day()
        day = bisect_right(self._before, number) - 1
        place = number - self._before[day]
        if day in self._odd:
            return self._odd[day][place]
        return on_day(self._first + day * _DAY, self._walls[place], self._zone)

    def first_from(self, moment: datetime) -> int:
        """The number of the first slot at or after that moment."""
        day = (local_day(moment, self._zone) - self._first).days
        if day < 0:
            return 0
        while len(self._before) <= day + 1:
            self._count_another_day()
        if day in self._odd:
            return self._before[day] + bisect_left(self._odd[day], moment)
        wall = moment.astimezone(self._zone).time()
        return self._before[day] + bisect_left(self._walls, wall)

    def _count_another_day(self) -> None:
        number = len(self._before) - 1
        day = self._first + number * _DAY
        if not self._is_plain(day):
            self._odd[number] = self._moments_of_day(day)
        count = len(self._odd.get(number, self._walls))
        self._before.append(self._before[-1] + count)

    def _is_plain(self, day: date) -> bool:
        """Whether the clock does not change on that day."""
        begins, ends = (on_day(midnight, time(), self._zone) for midnight in (day, day + _DAY))
        return ends - begins == _DAY

    def _moments_of_day(self, day: date) -> list[datetime]:
        moments = {on_day(day, wall, self._zone) for wall in self._walls}
        return sorted(moment for moment in moments if local_day(moment, self._zone) == day)
