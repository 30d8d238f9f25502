"""The budget against a Postiz that counts, with calls, replies, losses and windows in any order."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.domain.publishing.budget import (
    LONGEST_CALL,
    WINDOW,
    BudgetState,
    charge_call,
    free_at,
    refund_call,
    roll_window,
    update_from_reply,
)

#: A reply takes so long at most; whoever waited longer has given it up.
LONGEST_REPLY = timedelta(seconds=20)


@dataclass
class Counting:
    """Postiz: a window lasts an hour from the first call that it counts."""

    limit: int
    count: int = 0
    ends_at: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def arrive(self, now: datetime) -> tuple[int, int]:
        """What is left, and the seconds until the window ends, rounded up."""
        if now >= self.ends_at:
            self.count, self.ends_at = 0, now + WINDOW
        self.count += 1
        return self.limit - self.count, ceil((self.ends_at - now).total_seconds())


@dataclass(eq=False)
class Call:
    sent_at: datetime
    arrived_at: datetime | None = None
    told: tuple[int, int] = (0, 0)
    abandoned: bool = False
    settled_at: datetime | None = None


@dataclass
class Known:
    """What our database has of the account."""

    state: BudgetState
    open: list[Call] = field(default_factory=list)  # sending or abandoned
    settled: list[Call] = field(default_factory=list)

    def unsettled(self, now: datetime) -> int:
        since = now - (WINDOW + LONGEST_CALL)
        return sum(call.sent_at > since for call in self.open)


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 11, 27, 12, tzinfo=UTC)
        self.postiz = Counting(limit=3)
        unknown = BudgetState(limit=3, used=0, window_ends_at=None, blocked_until=None)
        self.known = Known(state=unknown)

    @rule(seconds=st.one_of(st.integers(1, 20), st.integers(20, 9000)))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(seconds=st.integers(-2, 2), ours=st.booleans())
    def a_window_ends(self, seconds: int, ours: bool) -> None:
        """Or is about to: Postiz's, or what we take for it."""
        ends_at = self.known.state.window_ends_at if ours else self.postiz.ends_at
        if ends_at is not None:
            self.now = max(self.now, ends_at + timedelta(seconds=seconds))

    @rule(parking=st.booleans())
    def a_call_is_written_down(self, parking: bool) -> None:
        state = roll_window(self.known.state, self.now, unsettled=self.known.unsettled(self.now))
        due_at = None if parking else self.now
        if free_at(state, self.now, due_at=due_at) == self.now:
            self.known.state = charge_call(state, self.now)
            self.known.open.append(Call(sent_at=self.now))

    def _under_way(self) -> list[Call]:
        """Calls that may yet reach Postiz, abandoned ones too."""
        return [
            call
            for call in self.known.open
            if call.arrived_at is None and self.now - call.sent_at <= LONGEST_CALL
        ]

    def _answered(self) -> list[Call]:
        return [
            call for call in self.known.open if call.arrived_at is not None and not call.abandoned
        ]

    @precondition(lambda self: self._under_way())
    @rule(data=st.data())
    def a_call_is_counted(self, data: st.DataObject) -> None:
        self._count(data.draw(st.sampled_from(self._under_way())))

    def _count(self, call: Call) -> None:
        call.arrived_at, call.told = self.now, self.postiz.arrive(self.now)

    @precondition(lambda self: self._answered())
    @rule(data=st.data(), late=st.integers(0, 20))
    def a_reply_is_applied(self, data: st.DataObject, late: int) -> None:
        """However long after it was read: its worker may have been frozen in between."""
        self._apply(data.draw(st.sampled_from(self._answered())), late=late)

    def _apply(self, call: Call, *, late: int) -> None:
        assert call.arrived_at is not None
        read_at = min(self.now, call.arrived_at + timedelta(seconds=late))
        remaining, seconds = call.told
        self.known.state = update_from_reply(
            self.known.state,
            self.now,
            limit=self.postiz.limit,
            remaining=remaining,
            resets_at=read_at + timedelta(seconds=seconds),
            unsettled=self.known.unsettled(self.now),
        )
        self.known.open.remove(call)
        self.known.settled.append(call)
        call.settled_at = self.now

    @rule(calls=st.integers(1, 3), seconds=st.sampled_from([0, 0, 5]))
    def calls_are_made_and_answered(self, calls: int, seconds: int) -> None:
        for _ in range(calls):
            before = len(self.known.open)
            self.a_call_is_written_down(parking=False)
            for call in self.known.open[before:]:
                self._count(call)
                self.now += timedelta(seconds=seconds)
                self._apply(call, late=seconds)

    @precondition(lambda self: self._under_way())
    @rule(data=st.data())
    def a_call_is_known_to_have_been_refused_a_connection(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self._under_way()))
        if not call.abandoned:
            self.known.state = refund_call(self.known.state)
            self.known.open.remove(call)

    @precondition(lambda self: self.known.open)
    @rule(data=st.data())
    def a_call_is_abandoned(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.known.open)).abandoned = True

    @invariant()
    def postiz_never_refuses(self) -> None:
        assert self.postiz.count <= self.postiz.limit

    @invariant()
    def no_call_is_charged_twice_in_a_window(self) -> None:
        """Once the window's end is known, no more is charged than is counted or may yet be."""
        if self.known.state.window_ends_at is None or not self._knows_the_window():
            return
        begun = self.postiz.ends_at - WINDOW
        unclear_then = [
            call
            for call in self.known.settled
            if call.settled_at and call.sent_at < begun <= call.settled_at
        ]
        unclear = sum(
            call.sent_at > begun - LONGEST_CALL - WINDOW for call in self.known.open + unclear_then
        )
        assert self.known.state.used <= self.postiz.count + unclear

    def _knows_the_window(self) -> bool:
        """Whether what we take for the window's end was told by a reply of Postiz's present one."""
        ends_at = self.known.state.window_ends_at
        begun = self.postiz.ends_at - WINDOW
        told = any(call.arrived_at and call.arrived_at >= begun for call in self.known.settled)
        late = LONGEST_REPLY + timedelta(seconds=1)
        ours = ends_at is not None and timedelta(0) <= ends_at - self.postiz.ends_at <= late
        return told and ours and self.now < self.postiz.ends_at

    @invariant()
    def an_account_always_recovers(self) -> None:
        """When no call is made any more, there is budget again after two windows at the latest,
        and once every end is known, with the end of this one."""
        later = self.now + 2 * (WINDOW + LONGEST_CALL)
        state = roll_window(self.known.state, later, unsettled=self.known.unsettled(later))
        assert free_at(state, later, due_at=later) == later
        if not self.known.open and self.known.state.window_ends_at is not None:
            ends_at = max(self.known.state.window_ends_at, self.now)
            over = roll_window(self.known.state, ends_at, unsettled=0)
            assert over.used == 0
            assert ends_at - self.now <= WINDOW + LONGEST_REPLY + timedelta(seconds=1)


AnyOrder.TestCase.settings = settings(max_examples=400, stateful_step_count=12)
TestAnyOrder = AnyOrder.TestCase
