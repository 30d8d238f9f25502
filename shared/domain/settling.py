"""What to do about a post of which Postiz shows this: pure, from its state there and its age."""

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Postiz's own states (POSTIZ.md): the post is a draft, waits, failed, or is on the network.
DRAFT, QUEUE, ERROR, PUBLISHED = "DRAFT", "QUEUE", "ERROR", "PUBLISHED"


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """Postiz has it: only its state counts from here on."""


@dataclass(frozen=True, kw_only=True)
class LookAgain:
    after: timedelta


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """Nobody can tell: a person has to look."""


@dataclass(frozen=True, kw_only=True)
class Published:
    pass


@dataclass(frozen=True, kw_only=True)
class Failed:
    code: str


@dataclass(frozen=True, kw_only=True)
class Errored:
    """Postiz says ERROR, and may still try again."""

    after: timedelta


def settle_step(
    state: str | None, *, age: timedelta, unknown_after: timedelta, give_up_after: timedelta
) -> HandedOver | LookAgain | GiveUp:
    """Of a release that is `age` old; `state` is None where Postiz does not list the post.

    Absence proves nothing: a moved date or a disconnected channel look the same.
    """
    if state not in {None, DRAFT}:
        return HandedOver()
    if age >= give_up_after:
        return GiveUp()
    return LookAgain(after=timedelta(seconds=1 if age < unknown_after else 30))


def track_step(
    state: str | None,
    *,
    now: datetime,
    due_at: datetime,
    error_at: datetime | None,
    error_final: timedelta,
    give_up_after: timedelta,
) -> Published | Failed | Errored | LookAgain:
    """Of a post that Postiz has and that was due at `due_at`."""
    pause = pause_until_next_look(now - due_at)
    match state:
        case "PUBLISHED":
            return Published()
        case "ERROR":
            if error_at is not None and now - error_at >= error_final:
                return Failed(code="failed_in_postiz")
            return Errored(after=min(pause, max(error_final / 4, timedelta(seconds=1))))
        case None:
            return Failed(code="removed_in_postiz")
        case "DRAFT" if now - due_at >= give_up_after:
            return Failed(code="unscheduled_in_postiz")
        case _:
            return LookAgain(after=max(pause, due_at - now + timedelta(seconds=1)))


def pause_until_next_look(late: timedelta) -> timedelta:
    """A second for the first ten, five for a minute, then a minute."""
    if late < timedelta(seconds=10):
        return timedelta(seconds=1)
    return timedelta(seconds=5) if late < timedelta(minutes=1) else timedelta(minutes=1)
