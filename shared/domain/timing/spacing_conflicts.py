"""Which rows break a bulk's cap or gap by their own times, which are never moved."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from shared.domain.networks.warning import RowWarning, WarningText
from shared.domain.timing.local_time import local_day
from shared.domain.timing.spacing import Spread, Taken, Wish

OVER_CAP = WarningText(
    code="over_daily_cap",
    message="The rows' own times exceed daily_cap_per_integration on a day",
    remedy="Leave their times out: these rows then get the next free times.",
)
UNDER_GAP = WarningText(
    code="under_min_gap",
    message="The rows' own times are closer to other posts than min_gap_minutes_per_integration",
    remedy="Leave their times out: these rows then get the next free times.",
)


def find_conflicts(
    wishes: Sequence[Wish], moments: Sequence[datetime], spread: Spread, taken: Taken
) -> list[RowWarning]:
    """`moments`: the times that the rows got."""
    if not spread.limited:
        return []
    all_times = _collect_times(wishes, moments, taken)
    own = [index for index, wish in enumerate(wishes) if wish.own is not None]
    found = {
        OVER_CAP: list(_over_cap(own, wishes, spread, all_times)),
        UNDER_GAP: list(_under_gap(own, wishes, spread, all_times)),
    }
    return [RowWarning(said=said, indexes=indexes) for said, indexes in found.items() if indexes]


def _collect_times(
    wishes: Sequence[Wish], moments: Sequence[datetime], taken: Taken
) -> Mapping[str, list[datetime]]:
    found: dict[str, list[datetime]] = defaultdict(list)
    for name, taken_times in taken.items():
        found[name] += taken_times
    for wish, moment in zip(wishes, moments, strict=True):
        for name in wish.integration_ids:
            found[name].append(moment)
    for times in found.values():
        times.sort()
    return found


def _over_cap(
    own: Sequence[int],
    wishes: Sequence[Wish],
    spread: Spread,
    times: Mapping[str, Sequence[datetime]],
) -> Iterator[int]:
    if spread.daily_cap is None:
        return
    days = {
        name: Counter(local_day(moment, spread.zone) for moment in moments)
        for name, moments in times.items()
    }
    for index in own:
        day = local_day(wishes[index].own or spread.start, spread.zone)
        if any(days[name][day] > spread.daily_cap for name in wishes[index].integration_ids):
            yield index


def _under_gap(
    own: Sequence[int],
    wishes: Sequence[Wish],
    spread: Spread,
    times: Mapping[str, Sequence[datetime]],
) -> Iterator[int]:
    for index in own:
        moment = wishes[index].own or spread.start
        if any(
            _is_too_close(times[name], moment, spread) for name in wishes[index].integration_ids
        ):
            yield index


def _is_too_close(times: Sequence[datetime], moment: datetime, spread: Spread) -> bool:
    """Whether another post than the one at that moment is nearer than the gap."""
    place = bisect_left(times, moment)
    others = [*times[max(place - 1, 0) : place], *times[place + 1 : place + 2]]
    return any(abs(other - moment) < spread.min_gap for other in others)
