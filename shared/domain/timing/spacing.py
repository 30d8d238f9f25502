"""When each row of a bulk is due: at its own time, in a slot of its day, or after the start.

Rows without their own time are placed one after another, in their order. A daily cap and a minimum
gap apply to each integration. If a row would break one of them, it gets the next place that is free
for all of its integrations, and the rows that follow on these move too. A row's own time is never
changed. Posts at such times, and posts that were accepted before, count.
"""

import hashlib
import math
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.domain.timing.local_time import local_day, on_day, whole_second
from shared.domain.timing.slots import Slots

#: Drafts are parked here, so a user's post must never be here, and nothing is placed after it.
LATEST = datetime(2099, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What matters of a row for its time. `own`: the time that it names."""

    own: datetime | None = None
    integration_ids: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How rows without their own time follow each other; `jitter` goes both ways.

    With `walls`, each row takes the next of these times of the day; else each row is `interval`
    after the one before. Days are those of `zone`.
    """

    start: datetime
    zone: ZoneInfo
    interval: timedelta = timedelta(0)
    jitter: timedelta = timedelta(0)
    seed: int = 0
    walls: Sequence[time] = ()
    daily_cap: int | None = None
    min_gap: timedelta = timedelta(0)

    @property
    def limited(self) -> bool:
        """Whether other posts of the same integrations matter."""
        return self.daily_cap is not None or self.min_gap > timedelta(0)

    @property
    def whole_gap(self) -> timedelta:
        return timedelta(seconds=math.ceil(self.min_gap.total_seconds()))

    @property
    def matters_from(self) -> datetime:
        """Posts before then cannot affect a cap or a gap."""
        return self.start - self.jitter - self.min_gap - timedelta(days=2)

    def shift(self, index: int) -> timedelta:
        """The jitter of row `index`: the same for the same seed, whatever the other rows are."""
        if not self.jitter:
            return timedelta(0)
        drawn = hashlib.blake2b(f"{self.seed}:{index}".encode(), digest_size=8).digest()
        return (int.from_bytes(drawn) / 2**63 - 1) * self.jitter


def _no_later_than_latest(start: datetime, span: timedelta) -> datetime:
    return start + span if span < LATEST - start else LATEST


Taken = Mapping[str, Iterable[datetime]]


def assign_times(wishes: Sequence[Wish], spread: Spread, taken: Taken) -> list[datetime]:
    """The time of each row, in whole seconds, in UTC.

    `taken`: when other posts of each integration are due. A time at or after `LATEST` means that no
    earlier place was free.
    """
    books = _fill_books(wishes, spread, taken)
    placer = _Slots(spread, books) if spread.walls else _Intervals(spread, books)
    return [
        placer.place(index, wish.integration_ids) if wish.own is None else wish.own
        for index, wish in enumerate(wishes)
    ]


@dataclass
class _Book:
    """The due times of one integration's posts."""

    spread: Spread
    times: list[datetime] = field(default_factory=list)
    by_day: Counter[date] = field(default_factory=Counter)

    def add(self, moment: datetime) -> None:
        insort(self.times, moment)
        self.by_day[local_day(moment, self.spread.zone)] += 1

    def is_full(self, day: date) -> bool:
        cap = self.spread.daily_cap
        return cap is not None and self.by_day[day] >= cap

    def far_enough(self, moment: datetime) -> datetime:
        """The first moment, from this one on, that keeps the gap to every other post."""
        gap = self.spread.whole_gap
        while gap and (index := bisect_left(self.times, moment + gap)):
            if self.times[index - 1] <= moment - gap:
                break
            moment = self.times[index - 1] + gap
        return moment


def _fill_books(wishes: Sequence[Wish], spread: Spread, taken: Taken) -> Mapping[str, _Book]:
    books: dict[str, _Book] = defaultdict(lambda: _Book(spread))
    if spread.limited:
        for name, moments in taken.items():
            for moment in moments:
                books[name].add(moment)
        for wish in wishes:
            for name in wish.integration_ids if wish.own else ():
                books[name].add(wish.own or LATEST)
    return books


class _Slots:
    """Each row takes the next slot that is free for it."""

    def __init__(self, spread: Spread, books: Mapping[str, _Book]) -> None:
        self._spread = spread
        self._books = books
        self._slots = Slots(spread.start, spread.walls, spread.zone)
        self._rows = 0
        self._behind: Counter[str] = Counter()  # by how many slots an integration's rows are late
        self._last = spread.start

    def place(self, index: int, names: Sequence[str]) -> datetime:
        names = names if self._spread.limited else ()
        if not names and self._last >= LATEST:
            return LATEST  # nothing that follows is earlier
        shift = self._spread.shift(index)
        number = self._rows + max((self._behind[name] for name in names), default=0)
        while True:
            moment = whole_second(self._slots.at(number) + shift)
            free = self._free_from(moment, names)
            if free == moment or moment >= LATEST:
                break
            number = max(number + 1, self._slots.first_from(free - shift))
        for name in names:
            self._books[name].add(moment)
            self._behind[name] = number - self._rows
        self._rows += 1
        self._last = moment
        return moment

    def _free_from(self, moment: datetime, names: Sequence[str]) -> datetime:
        """This moment if it is free; else a later one, before which nothing is free."""
        day = local_day(moment, self._spread.zone)
        books = [self._books[name] for name in names]
        if any(book.is_full(day) for book in books):
            return on_day(day + timedelta(days=1), time(), self._spread.zone)
        return max((book.far_enough(moment) for book in books), default=moment)


class _Intervals:
    """Each row comes an interval later; after a full day, rows go on at the start's time of day."""

    def __init__(self, spread: Spread, books: Mapping[str, _Book]) -> None:
        self._spread = spread
        self._books = books
        self._opens = spread.start.astimezone(spread.zone).time()
        self._behind: dict[str, timedelta] = defaultdict(timedelta)
        self._after: dict[str, datetime] = {}  # nothing overtakes a row that had to keep a gap

    def place(self, index: int, names: Sequence[str]) -> datetime:
        due = _no_later_than_latest(self._spread.start, index * self._spread.interval)
        shift = self._spread.shift(index)
        if not self._spread.limited or not names:
            return whole_second(due + shift)
        behind = max(self._behind[name] for name in names)
        moment, behind = self._find_moment(due, behind, shift, names)
        for name in names:
            self._books[name].add(moment)
            self._behind[name] = behind
        return moment

    def _find_moment(
        self, due: datetime, behind: timedelta, shift: timedelta, names: Sequence[str]
    ) -> tuple[datetime, timedelta]:
        moment = whole_second(due + behind + shift)
        while True:
            moment = self._keep_gap(moment, names)
            day = local_day(moment, self._spread.zone)
            if moment >= LATEST or not any(self._books[name].is_full(day) for name in names):
                return moment, behind
            morrow = day + timedelta(days=1)
            opens = on_day(morrow, self._opens, self._spread.zone)
            behind = opens - due
            moment = max(whole_second(opens + shift), on_day(morrow, time(), self._spread.zone))

    def _keep_gap(self, moment: datetime, names: Sequence[str]) -> datetime:
        """The first moment from this one on with the gap to the other posts of all `names`."""
        if not self._spread.min_gap:
            return moment
        wanted = moment
        moment = max([wanted, *(self._after[name] for name in names if name in self._after)])
        while (later := max(self._books[name].far_enough(moment) for name in names)) > moment:
            moment = later
        if moment > wanted:
            self._after.update(dict.fromkeys(names, moment))
        return moment
