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
class Park:
    """Move the draft to 2099, out of the reach of a status change that may still land."""


@dataclass(frozen=True, kw_only=True)
class Delete:
    """It stands parked as a draft: nothing can publish it any more, and it may go."""


@dataclass(frozen=True, kw_only=True)
class Bury:
    """It was parked as a draft, and our delete has removed it: it may be staged anew."""


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


#: What a handover is in, while its post is `releasing`: the status change was sent; the move to
#: 2099 may have been; it stands there; its delete may have been sent.
RELEASING, PARKING, PARKED, DELETING = "releasing", "parking", "parked", "deleting"

SettleStep = HandedOver | LookAgain | Park | Delete | Bury | GiveUp


def settle_step(
    state: str | None,
    *,
    handover: str,
    in_2099: bool,
    age: timedelta,
    unknown_after: timedelta,
    give_up_after: timedelta,
) -> SettleStep:
    """Of a release that is `age` old; `state` is None where Postiz does not list the post.

    Absence proves nothing by itself: a moved date or a disconnected channel look the same. After
    the post was seen parked as a draft it does not have to: nothing but a person can publish it.
    """
    match state:
        case "DRAFT" if in_2099:
            return Delete()
        case None if handover == DELETING:
            return Bury()
        case "QUEUE" if in_2099 or handover != RELEASING:
            pass  # the status change and the move crossed: it publishes now, or never
        case "QUEUE" | "PUBLISHED" | "ERROR":
            return HandedOver()
        case "DRAFT" if age >= unknown_after:
            return Park()
    if age >= give_up_after:
        return GiveUp()
    return LookAgain(after=timedelta(seconds=1) if age < unknown_after else unknown_after / 6)


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


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """Nothing of it can be published any more."""


@dataclass(frozen=True, kw_only=True)
class TooLate:
    """Postiz is about to publish it, or has."""


#: A delete proves something only so long before the date of what Postiz has scheduled.
CANCEL_AHEAD = timedelta(minutes=2)


def cancel_step(
    state: str | None, *, released: bool, deleting: bool, left: timedelta
) -> Cancelled | Delete | TooLate | Failed:
    """Of a post that is to be taken back; `left`: until its date, by Postiz's own clock.

    `deleting`: our delete was sent. What was never released cannot publish, so for that a delete
    needs no time, and its absence is as good.
    """
    match state:
        case None:
            return Cancelled() if deleting or not released else Failed(code="removed_in_postiz")
        case "DRAFT" if not released:
            return Delete()
        case "QUEUE" | "DRAFT" if left >= CANCEL_AHEAD:
            return Delete()
        case _:
            return TooLate()
