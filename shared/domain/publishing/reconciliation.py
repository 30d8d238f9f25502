"""What to do about a post, from its state in Postiz and its age; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.timing.look_pauses import DAY, SECOND, pause_until_next_look

#: Postiz's own states: the post is a draft, waits, failed, or is on the network (docs/POSTIZ.md,
#: "States and what moves them").
DRAFT, QUEUE, ERROR, PUBLISHED = "DRAFT", "QUEUE", "ERROR", "PUBLISHED"


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """Postiz has taken it over: from here on only its state there counts."""


@dataclass(frozen=True, kw_only=True)
class LookAgain:
    after: timedelta


@dataclass(frozen=True, kw_only=True)
class Watch:
    """It is in 2099, but not as a draft: an earlier attempt to send it may still show a result."""

    after: timedelta


@dataclass(frozen=True, kw_only=True)
class Park:
    """Move the draft to 2099, out of reach of a status change that may still arrive."""


@dataclass(frozen=True, kw_only=True)
class Delete:
    """It may be deleted: nothing can publish a parked draft, or a person wants it deleted."""


@dataclass(frozen=True, kw_only=True)
class Bury:
    """It was parked as a draft, and our delete has removed it: it may be staged again."""


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """The outcome cannot be found out: a person has to look."""


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


#: The states of a handover while its post is `releasing`: the status change was sent; the move to
#: 2099 may have been sent; it is in 2099; its delete may have been sent; the delete was
#: acknowledged.
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
    """A person reports that a post was not published; `watched`: how long it was seen parked."""

    watched: timedelta | None


def reconcile_step(
    state: str | None,
    *,
    handover: str,
    in_2099: bool,
    age: timedelta,
    unknown_after: timedelta,
    give_up_after: timedelta,
    report: UserReport | None = None,
) -> SettleStep:
    """The next step for a release that is `age` old; `state` None: Postiz does not list the post.

    A missing post alone proves nothing: a moved date or a disconnected channel look the same. After
    the post was seen parked as a draft no proof is needed: only a person can publish it.

    `report`: a person reported, `age` ago, that the post which waits in Postiz was not published.
    """
    if report and state in (QUEUE, DRAFT):
        return _retract_step(state, report, in_2099=in_2099, quiet_after=unknown_after)
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
    state: str, report: UserReport, *, in_2099: bool, quiet_after: timedelta
) -> Park | Delete | Watch:
    """Park it whatever its state is, and delete it when nothing can send it any more.

    No workflow that starts after the move sends the post. A workflow that is already at work gets
    some time to show its result; if the post still waits after that, it is deleted.
    """
    if not in_2099:
        return Park()
    if state == DRAFT or (report.watched is not None and report.watched >= quiet_after):
        return Delete()
    return Watch(after=quiet_after / 6)


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """Its time is over and it still waits in Postiz: it may have been sent, or may be sent later.

    `final`: it is so late that its job no longer waits for it.
    """

    code: str
    final: bool
    after: timedelta


@dataclass(frozen=True, kw_only=True)
class FirstPublished:
    """The first part of a thread is on the network: from now on the others are waited for."""

    after: timedelta


@dataclass(frozen=True, kw_only=True)
class Thread:
    """What comes after a post's first part. Postiz shows nothing of it, but that it failed.

    `takes`: from the first part until the last one is due. `since`: when the first was first seen.
    """

    takes: timedelta
    since: datetime | None


TrackStep = Published | FirstPublished | Failed | Errored | Overdue | LookAgain
OVERDUE, UNSCHEDULED = "overdue_in_postiz", "unscheduled_in_postiz"
#: The code of a cancelled post that was deleted in Postiz after its time.
CANCELLED_LATE = "may_have_been_sent"
#: Postiz itself sends late posts for up to two days; after that it never sends them.
FOLLOW_OVERDUE = 3 * DAY


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a post may be late, or in error, before we report it, and before that is final.

    `give_up`: the same for a post that somebody has turned into a draft again.
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
    thread: Thread | None = None,
) -> TrackStep:
    """The next step for a post that Postiz has, and that was due at `due_at`.

    `error_at`: when ERROR was seen first. Whatever Postiz shows, the looking ends at some time.
    """
    late = now - due_at
    match state:
        case "PUBLISHED":
            return _published_step(thread, now, patience) if thread else Published()
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


def _published_step(thread: Thread, now: datetime, patience: Patience) -> TrackStep:
    """Published when the last part is due, and no error was seen for as long as a post may be late:
    Postiz tries a part for some minutes before it reports an error."""
    seen_for = timedelta(0) if thread.since is None else now - thread.since
    left = thread.takes + patience.overdue - seen_for
    pause = min(pause_until_next_look(seen_for), max(left, SECOND))
    if thread.since is None:
        return FirstPublished(after=pause)
    return Published() if left <= timedelta(0) else LookAgain(after=pause)


def _waiting_step(state: str, late: timedelta, patience: Patience) -> Overdue | LookAgain:
    pause = pause_until_next_look(late, patience.overdue, patience.error_final)
    if late < patience.overdue:
        return LookAgain(after=pause)
    code = UNSCHEDULED if state == DRAFT else OVERDUE
    return Overdue(code=code, final=late >= patience.error_final, after=pause)


def _error_step(quiet: timedelta, patience: Patience) -> Failed | Errored:
    """Look again after as long as it has been in error: a dozen times, and once at the end."""
    left = patience.error_final - quiet
    if quiet and left <= timedelta(0):
        return Failed(code="failed_in_postiz")
    return Errored(after=min(max(quiet, SECOND), max(left, SECOND)))


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """It will not be published any more; `may_be_live`: it may have been published before."""

    may_be_live: bool


@dataclass(frozen=True, kw_only=True)
class TooLate:
    """Postiz is about to publish it, or has."""


CancelStep = Cancelled | Delete | TooLate | Failed
#: A delete of a scheduled post proves something only this long before its date.
CANCEL_AHEAD = timedelta(minutes=2)


def cancel_step(
    state: str | None,
    *,
    released: bool,
    handover: str,
    left: timedelta,
    overdue: bool,
    refused: bool = False,
) -> CancelStep:
    """The next step for a post that is to be cancelled; `left`: until its date, by Postiz's clock.

    `refused`: Postiz said that it sends nothing of it, so that it is not live when it is gone.

    A post that was never released cannot be published: a delete is safe at any time, and if the
    post is missing, that is as good. A released post is gone once its delete was acknowledged and
    Postiz does not list it. An overdue or failed post is deleted too, though it may have been sent.
    """
    in_time = left >= CANCEL_AHEAD
    match state:
        case None if not released or handover == DELETED:
            return Cancelled(may_be_live=released and not (in_time or refused))
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
