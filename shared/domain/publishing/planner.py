"""The planner: which call to make next, and what to expect of a whole bulk.

The worker asks `next_call` about the due posts, and makes that call. A dry run asks
`forecast_posts`, which makes the same decisions on a simulated clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from shared.domain.publishing.batching import Candidate, Pack, fill_pack
from shared.domain.publishing.budget import BudgetState, charge_call, free_at, roll_window

#: How long before its time a post is handed over.
STAGED_AHEAD = timedelta(hours=24)
CALENDAR_AHEAD = timedelta(days=14)
#: A call that is not full waits for more posts until its first post is due within this time.
SOON = timedelta(hours=2)
#: A post that goes out more than this after its time is late.
LATE = timedelta(minutes=5)
#: How many posts are considered to fill a call.
CANDIDATES = 400
#: If fewer elements were created lately, Postiz has no stray work that could kill a workflow.
FEW_ELEMENTS = 6
#: How long a counted call takes, in seconds: 300 elements took 3.4 (docs/POSTIZ.md, "Creating
#: posts").
CALL_SECONDS, ELEMENT_SECONDS = 0.3, 0.0105


@dataclass(frozen=True, kw_only=True)
class Wait:
    """There is no reason to make a call before then."""

    until: datetime


def handover_lead_time(candidate: Candidate) -> timedelta:
    """How long before its time a post may be handed over."""
    return CALENDAR_AHEAD if candidate.dated else STAGED_AHEAD


def next_call(candidates: Iterable[Candidate], now: datetime) -> Pack | Wait | None:
    """The next call for `candidates`, which may be staged now and are in the order of their turn.

    A post with its own date costs a call whenever the call is made. Staged posts of any time share
    a call, so a call with room left waits for others, until the first of its posts is due soon.
    None: there are no candidates.
    """
    left, waits = list(candidates), list[datetime]()
    while left:
        chosen = fill_pack(left)
        first = chosen.posts[0]
        soonest = min(candidate.publish_at for candidate in chosen.posts)
        if chosen.full or first.dated or soonest <= now + SOON:
            return chosen
        waits.append(soonest - SOON)
        left = [candidate for candidate in left if candidate.group != first.group]
    return Wait(until=min(waits)) if waits else None


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a forecast starts from. `calls_before`: counted calls of other posts that go first.

    `leaves_late`: posts that cannot be out in time are not published at all.
    """

    now: datetime
    budget: BudgetState
    settle: timedelta
    writes_per_second: float
    calls_before: int = 0
    leaves_late: bool = False


@dataclass(frozen=True, kw_only=True)
class PlannedCall:
    """A counted call: when it is made, when its reply arrives, and its posts."""

    at: datetime
    replied_at: datetime
    posts: Sequence[Candidate]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What to expect of a bulk. `out_at`: by post id, when the post goes out to its network."""

    calls: Sequence[PlannedCall]
    out_at: dict[int, datetime]
    late: Sequence[int]

    @property
    def first_at(self) -> datetime | None:
        return min(self.out_at.values(), default=None)

    @property
    def finishes_at(self) -> datetime | None:
        return max(self.out_at.values(), default=None)


def forecast_posts(posts: Iterable[Candidate], terms: Terms) -> Forecast:
    """Every call and every release that `posts` will need, from what is known now."""
    waiting = sorted(posts, key=lambda post: (post.publish_at, post.id))
    clock = _Clock(now=terms.now, budget=terms.budget)
    for _ in range(terms.calls_before):
        clock.make_call(0, terms.now)
    calls: list[PlannedCall] = []
    left_out: list[int] = []
    while waiting:
        clock.reach(
            min(post.publish_at - handover_lead_time(post) for post in waiting[:CANDIDATES])
        )
        if terms.leaves_late and (too_late := _leading_late_ids(waiting, clock.now)):
            left_out += too_late
            del waiting[: len(too_late)]
            continue
        match next_call(_open_candidates(waiting, clock.now), clock.now):
            case Pack(posts=chosen) if terms.leaves_late and clock.waits(chosen):
                continue  # by then it may be too late for some of them
            case Pack(posts=chosen):
                calls.append(clock.make(chosen))
                gone = {post.id for post in chosen}
                waiting[:CANDIDATES] = [
                    post for post in waiting[:CANDIDATES] if post.id not in gone
                ]
            case Wait(until=until):
                clock.reach(_filled_at(waiting, until))
    out_at = _release_times(calls, terms)
    late = [
        post.id
        for call in calls
        for post in call.posts
        if out_at[post.id] > post.publish_at + LATE and not post.as_draft
    ]
    if terms.leaves_late:
        for post in late:
            del out_at[post]
    return Forecast(calls=calls, out_at=out_at, late=[*left_out, *late])


def _leading_late_ids(waiting: Sequence[Candidate], now: datetime) -> list[int]:
    """Posts at the front that can no longer be out in time."""
    late = takewhile(
        lambda candidate: candidate.publish_at + LATE < now and not candidate.as_draft, waiting
    )
    return [candidate.id for candidate in late]


def _open_candidates(waiting: Sequence[Candidate], now: datetime) -> list[Candidate]:
    """Posts that may be handed over now; if the first has its own date, only those of that date."""
    window = [
        candidate
        for candidate in waiting[:CANDIDATES]
        if candidate.publish_at <= now + handover_lead_time(candidate)
    ]
    if window and window[0].dated:
        return [candidate for candidate in window if candidate.publish_at == window[0].publish_at]
    return window


def _filled_at(waiting: Sequence[Candidate], until: datetime) -> datetime:
    """When a call that waits for more posts is made: once it is full, or else at `until`."""
    candidates = _open_candidates(waiting, until)
    match next_call(candidates, until):
        case Pack(posts=chosen, full=True):
            carried = {candidate.id for candidate in chosen}
            cut_off = next(candidate for candidate in candidates if candidate.id not in carried)
            return min(until, cut_off.publish_at - handover_lead_time(cut_off))
    return until


@dataclass
class _Clock:
    """How far a forecast has come in time and budget."""

    now: datetime
    budget: BudgetState

    def reach(self, moment: datetime) -> None:
        self.now = max(self.now, moment)

    def waits(self, chosen: Sequence[Candidate]) -> bool:
        """Wait for the budget of such a call. Returns whether that took any time."""
        before = self.now
        self._wait_for_budget(min(candidate.publish_at for candidate in chosen))
        return self.now > before

    def _wait_for_budget(self, due_at: datetime) -> None:
        self.budget = roll_window(self.budget, self.now, unsettled=0)
        self.reach(free_at(self.budget, self.now, due_at=due_at))

    def make_call(self, elements: int, due_at: datetime) -> datetime:
        """Wait for the budget, spend it, and wait for the reply. Returns when the call began."""
        self._wait_for_budget(due_at)
        self.budget = charge_call(roll_window(self.budget, self.now, unsettled=0), self.now)
        began = self.now
        self.now += timedelta(seconds=CALL_SECONDS + ELEMENT_SECONDS * elements)
        return began

    def make(self, chosen: Sequence[Candidate]) -> PlannedCall:
        began = self.make_call(len(chosen), min(candidate.publish_at for candidate in chosen))
        return PlannedCall(at=began, replied_at=self.now, posts=chosen)


def _release_times(calls: Sequence[PlannedCall], terms: Terms) -> dict[int, datetime]:
    """When each post goes out: at its time, once it has settled, at the pace of its server."""
    ready = [(_ready_at(post, call, terms), post) for call in calls for post in call.posts]
    step = timedelta(seconds=1 / terms.writes_per_second)
    out_at: dict[int, datetime] = {}
    free_from = terms.now
    for moment, post in sorted(
        ready, key=lambda entry: (entry[0], entry[1].publish_at, entry[1].id)
    ):
        released = max(moment, free_from)
        free_from = released + step
        out_at[post.id] = max(released, post.publish_at)
    return out_at


def _ready_at(post: Candidate, call: PlannedCall, terms: Terms) -> datetime:
    """When its draft may be released."""
    settled = call.replied_at
    if len(call.posts) >= FEW_ELEMENTS:
        settled += terms.settle
    return settled if post.dated else max(post.publish_at, settled)
