"""The hourly limit on creating posts: whether one more counted call may be made, and when."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

#: Postiz's window, assumed until a reply says when it ends.
WINDOW = timedelta(hours=1)
#: How long after it was recorded a call may be counted: its time-out, and a time to hang.
LONGEST_CALL = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class BudgetState:
    """What is known of an account's window. `limit` is None until a reply says it.

    `own_limit` and `own_reserve`: the values of the account's owner, None if there are none.
    """

    limit: int | None
    used: int
    window_ends_at: datetime | None
    blocked_until: datetime | None
    own_limit: int | None = None
    own_reserve: int | None = None

    @property
    def most(self) -> int | None:
        """Calls in a window: Postiz's limit or the owner's, whichever is lower."""
        return min(
            (limit for limit in (self.limit, self.own_limit) if limit is not None), default=None
        )

    @property
    def kept(self) -> int:
        """Calls kept in reserve. Whatever the owner wants, at least one is left to publish with."""
        if self.most is None:
            return 0
        wanted = default_reserve(self.most) if self.own_reserve is None else self.own_reserve
        return max(0, min(wanted, self.most - 1))


def default_reserve(limit: int) -> int:
    """Calls kept in reserve to park unclear releases, unless the account's owner sets a number."""
    return min(3, limit // 10)


def urgent_calls(most: int) -> int:
    """Calls that are left to posts which cannot wait for the next window."""
    return most // 10


def roll_window(state: BudgetState, now: datetime, *, unsettled: int) -> BudgetState:
    """The state after the window has ended, else the state unchanged.

    `unsettled`: calls whose outcome is unknown. They are charged to the next window too.
    """
    if state.window_ends_at is None or state.window_ends_at > now:
        return state
    return replace(state, used=unsettled, window_ends_at=None)


def free_at(state: BudgetState, now: datetime, *, due_at: datetime | None) -> datetime:
    """When a counted call may be made whose first post is due at `due_at`: `now` if at once.

    `due_at` None is for parking, which may use all calls that are left. A post that is due only
    after this window leaves the last calls of the window to posts that cannot wait.
    """
    if state.blocked_until is not None and state.blocked_until > now:
        return state.blocked_until
    if state.most is None or state.used < state.most - _calls_kept(state, due_at):
        return now
    return state.window_ends_at or now + WINDOW


def _calls_kept(state: BudgetState, due_at: datetime | None) -> int:
    if due_at is None:
        return 0
    can_wait = state.window_ends_at is not None and due_at > state.window_ends_at
    return state.kept + (urgent_calls(state.most or 0) if can_wait else 0)


def charge_call(state: BudgetState, now: datetime) -> BudgetState:
    """One more call, recorded before it is made.

    If Postiz has not said when the window ends, it ends an hour after its first call. Without that
    end, an account whose replies are all lost would be blocked for ever.
    """
    return replace(state, used=state.used + 1, window_ends_at=state.window_ends_at or now + WINDOW)


def update_from_reply(
    state: BudgetState,
    now: datetime,
    *,
    limit: int,
    remaining: int,
    resets_at: datetime,
    unsettled: int,
) -> BudgetState:
    """The state after a reply about the window in which Postiz counted its call.

    Within a window, `used` only rises. If the reply is about a new window, this call and the others
    of `unsettled` are charged to the new window, and nothing else of the old one. If the window of
    the reply is over by now, or was while it was read and a later window is known, only its limit
    counts.
    """
    known_end = state.window_ends_at or resets_at
    may_be_over = resets_at <= now + LONGEST_CALL and known_end > resets_at + LONGEST_CALL
    if resets_at <= now or may_be_over:
        return replace(state, limit=limit)
    before = unsettled if resets_at > known_end + LONGEST_CALL else state.used
    used = max(before, limit - remaining)
    return replace(state, limit=limit, used=used, window_ends_at=resets_at)


def refund_call(state: BudgetState) -> BudgetState:
    """One call less: it was recorded, but Postiz certainly has not counted it."""
    return replace(state, used=max(0, state.used - 1))
