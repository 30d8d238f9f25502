"""What to do about a post of which Postiz shows this: pure, from its state there and its age."""

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Postiz's own states: the post is a draft, waits, failed, or is on the network (docs/POSTIZ.md,
#: "States and what moves them").
DRAFT, QUEUE, ERROR, PUBLISHED = "DRAFT", "QUEUE", "ERROR", "PUBLISHED"


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """Postiz has it: only its state counts from here on."""


@dataclass(frozen=True, kw_only=True)
class LookAgain:
    after: timedelta


@dataclass(frozen=True, kw_only=True)
class Watch:
    """It stands parked, but not as a draft: what began to send it before has a while to say so."""

    after: timedelta


@dataclass(frozen=True, kw_only=True)
class Park:
    """Move the draft to 2099, out of the reach of a status change that may still land."""


@dataclass(frozen=True, kw_only=True)
class Delete:
    """It may go: parked, nothing can publish it any more; or a person wants it gone."""


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
#: 2099 may have been; it stands there; its delete may have been sent; that was acknowledged.
RELEASING, PARKING, PARKED, DELETING, DELETED = (
    "releasing",
    "parking",
    "parked",
    "deleting",
    "deleted",
)

SettleStep = HandedOver | LookAgain | Watch | Park | Delete | Bury | GiveUp


@dataclass(frozen=True, kw_only=True)
class UserReport:
    """A person's, that a post was not published; `watched`: for how long it was seen parked."""

    watched: timedelta | None


def reconcile_step(
    state: str | None,
    *,
    handover: str,
    in_2099: bool,
    age: timedelta,
    unknown_after: timedelta,
    give_up_after: timedelta,
    word: UserReport | None = None,
) -> SettleStep:
    """Of a release that is `age` old; `state` is None where Postiz does not list the post.

    Absence proves nothing by itself: a moved date or a disconnected channel look the same. After
    the post was seen parked as a draft it does not have to: nothing but a person can publish it.

    `word`: a person has said, `age` ago, that what Postiz has waiting was not published.
    """
    if word and state in (QUEUE, DRAFT):
        return _retract_step(state, word, in_2099=in_2099, quiet_after=unknown_after)
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
    pause = timedelta(seconds=1) if age < unknown_after else unknown_after / 6
    return GiveUp() if age >= give_up_after else LookAgain(after=pause)


def _retract_step(
    state: str, word: UserReport, *, in_2099: bool, quiet_after: timedelta
) -> Park | Delete | Watch:
    """Parked whatever it is, so that no workflow that starts from now on sends it; one that is at
    work already has a while to show itself, and only then what still waits is deleted."""
    if not in_2099:
        return Park()
    if state == DRAFT or (word.watched is not None and word.watched >= quiet_after):
        return Delete()
    return Watch(after=quiet_after / 6)


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """Its time is over, and Postiz has it waiting: it may have been sent, or may be yet.

    `final`: for so long that its job waits for it no more.
    """

    code: str
    final: bool
    after: timedelta


TrackStep = Published | Failed | Errored | Overdue | LookAgain
OVERDUE, UNSCHEDULED = "overdue_in_postiz", "unscheduled_in_postiz"
#: The code of a cancelled post that was deleted in Postiz after its time.
CANCELLED_LATE = "may_have_been_sent"
SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
#: Postiz's own rescue of late posts goes back two days: what it has not sent by then it never does.
FOLLOW_OVERDUE = 3 * DAY


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a post may be late, or in error, before it is called so, and before that is final.

    `give_up`: on one that somebody has made a draft again.
    """

    overdue: timedelta
    error_final: timedelta
    give_up: timedelta


def track_step(
    state: str | None,
    *,
    now: datetime,
    due_at: datetime,
    error_at: datetime | None,
    patience: Patience,
) -> TrackStep:
    """Of a post that Postiz has and that was due at `due_at`; `error_at`: of the first ERROR.

    Whatever Postiz goes on to show, there is an end to looking.
    """
    late = now - due_at
    match state:
        case "PUBLISHED":
            return Published()
        case "ERROR":
            return _error_step(timedelta(0) if error_at is None else now - error_at, patience)
        case None:
            return Failed(code="removed_in_postiz")
        case "DRAFT" if late >= patience.give_up:
            return Failed(code=UNSCHEDULED)
        case _ if late >= FOLLOW_OVERDUE:
            return Failed(code="outcome_unknown")
        case waiting:
            return _waiting_step(waiting, late, patience)


def _waiting_step(state: str, late: timedelta, patience: Patience) -> Overdue | LookAgain:
    pause = pause_until_next_look(late, patience.overdue, patience.error_final)
    if late < patience.overdue:
        return LookAgain(after=pause)
    code = UNSCHEDULED if state == DRAFT else OVERDUE
    return Overdue(code=code, final=late >= patience.error_final, after=pause)


def _error_step(quiet: timedelta, patience: Patience) -> Failed | Errored:
    """Looked at again after as long as it has been so: a dozen times, and once when it is final."""
    left = patience.error_final - quiet
    if quiet and left <= timedelta(0):
        return Failed(code="failed_in_postiz")
    return Errored(after=min(max(quiet, SECOND), max(left, SECOND)))


def pause_until_next_look(late: timedelta, *marks: timedelta) -> timedelta:
    """A second for the first ten, five for a minute, then a minute, then a tenth of what is past,
    up to an hour; and none beyond a moment at which something else is to be said of it."""
    if late < timedelta(0):
        return min(SECOND - late, DAY)  # somebody may have moved it: see it at least once a day
    if late < 10 * SECOND:
        pause = SECOND
    else:
        pause = 5 * SECOND if late < MINUTE else min(max(late / 10, MINUTE), HOUR)
    return min([pause, *(mark - late for mark in marks if mark > late)])


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """Nothing of it will be published any more; `may_be_live`: it may have been before."""

    may_be_live: bool


@dataclass(frozen=True, kw_only=True)
class TooLate:
    """Postiz is about to publish it, or has."""


CancelStep = Cancelled | Delete | TooLate | Failed
#: A delete proves something only so long before the date of what Postiz has scheduled.
CANCEL_AHEAD = timedelta(minutes=2)


def cancel_step(
    state: str | None,
    *,
    released: bool,
    handover: str,
    left: timedelta,
    overdue: bool,
) -> CancelStep:
    """Of a post that is to be taken back; `left`: until its date, by Postiz's own clock.

    What was never released cannot publish, so for that a delete needs no time, and its absence is
    as good. What was released is gone once a delete was acknowledged and it is not listed; deleted
    is too, though it may have been sent, what is overdue or has failed.
    """
    in_time = left >= CANCEL_AHEAD
    match state:
        case None if not released or handover == DELETED:
            return Cancelled(may_be_live=released and not in_time)
        case None:
            return Delete() if handover == DELETING else Failed(code="removed_in_postiz")
        case "DRAFT" if not released:
            return Delete()
        case "QUEUE" | "DRAFT" if in_time or overdue:
            return Delete()
        case "ERROR":
            return Delete()
        case _:
            return TooLate()
