"""Daily caps of posts that are moved: a bulk's `daily_cap_per_integration` holds for them too."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, Integer, cast, func, select
from sqlalchemy.orm import Session

from shared import db
from shared.domain.timing.local_time import local_day
from shared.errors import FieldError, Unprocessable
from shared.models import Job, Post
from shared.posts import occupancy

OVER_CAP = "over_daily_cap"
_READ_AT_ONCE = 5000
_AROUND = timedelta(days=3)
#: A channel of an account (their ids), and a day in a zone (its name).
_Place = tuple[int, str, str, date]
#: The new time of a post, by its id and the present time; None: it keeps it.
FindTarget = Callable[[int, datetime], datetime | None]


@dataclass(frozen=True, kw_only=True)
class _Move:
    """`most`: posts on a day. `wanted`: the present time, that of an edit that waits before it."""

    post_id: int
    account_id: int
    channel_id: str
    most: int
    zone: str
    due_at: datetime
    wanted: datetime

    def place_at(self, moment: datetime) -> _Place:
        zone = ZoneInfo(self.zone)
        return self.account_id, self.channel_id, self.zone, local_day(moment, zone)


#: A post, the day that it leaves, and the one to which it is moved.
_Placed = tuple[_Move, _Place, _Place]


@dataclass(frozen=True)
class FullDays:
    """`places`: by post, the day to which it cannot be moved, and how many it may have.

    `moves`: the others, which can.
    """

    places: dict[int, tuple[_Place, int]]
    moves: Sequence[_Placed] = ()

    def refuse(self, post: Post) -> None:
        """Raises `Unprocessable` for one of these posts."""
        if post.id not in self.places:
            return
        (*_, zone, day), most = self.places[post.id]
        message = (
            f"{post.integration_name or post.integration_id} has {most} posts on {day} ({zone}), "
            "as many as its bulk allows (daily_cap_per_integration): choose another day"
        )
        fault = FieldError(field="publish_at", message=message, code=OVER_CAP)
        raise Unprocessable(message, code=OVER_CAP, fields=[fault])


def require_room(session: Session, post: Post, moment: datetime) -> None:
    """Raises `Unprocessable` where that day has as many posts as the bulk of `post` allows.

    Until the transaction ends nobody else chooses a time of the account: two that move to the last
    place of a day do not both find it free.
    """
    if any(_read_moves(session, [post.id])):
        occupancy.lock_account(session, post.account_id)
        find_full_days(session, [post.id], lambda *_: moment).refuse(post)


def find_full_days(session: Session, ids: Sequence[int], find_target: FindTarget) -> FullDays:
    """Which of the posts `ids` cannot be moved, because a day would have more than it may.

    Posts that are moved together make room for each other; one that cannot move keeps its place.
    """
    since = db.read_clock(session) - timedelta(days=2)
    moves = list(_read_moves(session, ids))
    taken = _count_taken(session, moves, since)
    waiting: list[_Placed] = []
    for move in sorted(moves, key=lambda each: (each.due_at, each.post_id)):
        moment = find_target(move.post_id, move.wanted)
        if moment is not None:
            waiting.append((move, move.place_at(move.due_at), move.place_at(moment)))
    placed = list(waiting)
    while left := _move_where_there_is_room(waiting, taken):
        if len(left) == len(waiting):
            break
        waiting = left[::-1]  # who moves later makes room for who came before it, and the reverse
    full = {move.post_id: (target, move.most) for move, _, target in left}
    return FullDays(full, [each for each in placed if each[0].post_id not in full])


class BatchedMoves:
    """Posts that move together, in transactions of their own: others may take a place meanwhile.

    So each batch looks again. A place that one of a later batch is about to leave counts as free.
    """

    def __init__(self, planned: FullDays) -> None:
        self._planned = {placed[0].post_id: placed for placed in planned.moves}
        self._leaving = Counter(source for _, source, target in planned.moves if source != target)

    def find_full(self, session: Session, times: Mapping[int, datetime]) -> FullDays:
        """Which of a batch cannot be moved now, by their new times; called once for each post.

        Until the transaction ends nobody else chooses a time of these accounts.
        """
        batch: list[_Placed] = []
        for post_id in sorted(times.keys() & self._planned.keys()):
            move, source, _ = self._planned.pop(post_id)
            if source != (target := move.place_at(times[post_id])):
                batch.append((move, source, target))
        return self._find_full(session, batch) if batch else FullDays({})

    def _find_full(self, session: Session, batch: Sequence[_Placed]) -> FullDays:
        for account_id in sorted({move.account_id for move, *_ in batch}):
            occupancy.lock_account(session, account_id)
        taken = _count_taken(session, [move for move, *_ in batch], *_span_of(batch))
        full = {}
        for move, source, target in batch:
            self._leaving[source] -= 1
            if taken[target] - self._leaving[target] >= move.most:
                full[move.post_id] = (target, move.most)
                continue
            taken[source] -= 1
            taken[target] += 1
        return FullDays(full)


def _span_of(batch: Sequence[_Placed]) -> tuple[datetime, datetime]:
    """Around all days to which these are moved, whatever their zones."""
    days = [target[-1] for *_, target in batch]
    first = max(min(days), date.min + _AROUND) - _AROUND
    last = min(max(days), date.max - _AROUND) + _AROUND
    return datetime.combine(first, time(), UTC), datetime.combine(last, time(), UTC)


def _move_where_there_is_room(waiting: Sequence[_Placed], taken: Counter[_Place]) -> list[_Placed]:
    """Returns those for which there is none."""
    left = []
    for move, source, target in waiting:
        if source != target and taken[target] >= move.most:
            left.append((move, source, target))
            continue
        taken[source] -= 1
        taken[target] += 1
    return left


def _count_taken(
    session: Session, moves: Sequence[_Move], since: datetime, until: datetime | None = None
) -> Counter[_Place]:
    taken: Counter[_Place] = Counter()
    kinds = {(move.account_id, move.channel_id, move.zone) for move in moves}
    for account_id in sorted({account_id for account_id, _, _ in kinds}):
        zones = {(name, zone) for account, name, zone in kinds if account == account_id}
        names = {name for name, _ in zones}
        times = occupancy.read_due_times(session, account_id, names, since=since, until=until)
        for name, zone in zones:
            known = ZoneInfo(zone)
            taken.update(
                (account_id, name, zone, local_day(moment, known)) for moment in times.get(name, ())
            )
    return taken


def _read_moves(session: Session, ids: Sequence[int]) -> Iterator[_Move]:
    """Of those of the posts that will be published, and whose bulk has a cap."""
    most = cast(Job.options["daily_cap_per_integration"].astext, Integer)
    zone = func.coalesce(Job.options["timezone"].astext, "UTC")
    edited = cast(Post.edit["publish_at"].astext, DateTime(timezone=True))
    wanted = func.coalesce(edited, Post.publish_at)
    query = (
        select(Post.id, Post.account_id, Post.integration_id, most, zone, Post.publish_at, wanted)
        .join(Job, Job.id == Post.job_id)
        .where(most.is_not(None), *occupancy.is_to_be_published())
    )
    for start in range(0, len(ids), _READ_AT_ONCE):
        some = query.where(Post.id.in_(ids[start : start + _READ_AT_ONCE]))
        for post_id, account_id, channel_id, number, name, due_at, moment in session.execute(some):
            yield _Move(
                post_id=post_id,
                account_id=account_id,
                channel_id=channel_id,
                most=number,
                zone=name,
                due_at=due_at,
                wanted=moment,
            )
