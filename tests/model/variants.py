"""The protocol broken on purpose, one idea at a time, and once changed to be only wasteful."""

from shared.domain.publishing.reconciliation import (
    DELETING,
    DRAFT,
    PARKED,
    QUEUE,
    Bury,
    Cancelled,
    CancelStep,
    Delete,
    HandedOver,
    LookAgain,
    Park,
    Watch,
)
from tests.model.protocol import Decision, Protocol, ReleaseAgain, Settle, cancel, settle
from tests.model.rows import Row, Seen


def _delete_at_once(row: Row, known: str, seen: Seen) -> Decision:
    """Takes a delete for a fence."""
    step = settle(row, known, seen)
    return Delete() if isinstance(step, Park) else step


def _release_again(row: Row, known: str, seen: Seen) -> Decision:
    """Takes a draft for the proof that the status change came to nothing."""
    step = settle(row, known, seen)
    return ReleaseAgain() if isinstance(step, Park) else step


def _bury_what_is_absent(row: Row, known: str, seen: Seen) -> Decision:
    """Takes absence for the proof that nothing can be published."""
    return settle(row, known, seen) if seen.state else Bury()


def _take_any_queue(row: Row, known: str, seen: Seen) -> Decision:
    """Takes QUEUE at the old date for a handover, though a move to 2099 may be under way."""
    return HandedOver() if seen == Seen(QUEUE) else settle(row, known, seen)


def _delete_what_was_moved(row: Row, known: str, seen: Seen) -> Decision:
    """Takes an acknowledged move for the proof that nothing can be published any more."""
    moved = known in (PARKED, DELETING) and seen.state in (DRAFT, QUEUE)
    return Delete() if moved else settle(row, known, seen)


def _park_at_once(row: Row, known: str, seen: Seen) -> Decision:
    """Not broken, only wasteful: does not give the status change its 90 s."""
    step = settle(row, known, seen)
    waits = isinstance(step, LookAgain) and seen == Seen(DRAFT)
    return Park() if waits else step


def _on_word(step: Decision) -> Settle:
    """Does this with what a person said was not published, wherever it waits."""

    def settle_on_word(row: Row, known: str, seen: Seen) -> Decision:
        return step if row.word and seen.state in (QUEUE, DRAFT) else settle(row, known, seen)

    return settle_on_word


def _delete_once_parked(row: Row, known: str, seen: Seen) -> Decision:
    """Gives what had begun to send the post no time to show itself."""
    step = settle(row, known, seen)
    return Delete() if isinstance(step, Watch) else step


def _cancel_without_a_warning(row: Row, known: str, seen: Seen) -> CancelStep:
    step = cancel(row, known, seen)
    return Cancelled(may_be_live=False) if isinstance(step, Cancelled) else step


def _take_absence_for_gone(row: Row, known: str, seen: Seen) -> CancelStep:
    """Asks for no acknowledgement of the delete: the post may only not be listed."""
    return cancel(row, known, seen) if seen.state else Cancelled(may_be_live=True)


def _take_absence_for_taken_back(row: Row, known: str, seen: Seen) -> CancelStep:
    """The same, of a post that is to be handed over anew."""
    return cancel(row, known, seen) if seen.state else Cancelled(may_be_live=False)


DELETES_WITHOUT_PARKING = Protocol(settle=_delete_at_once)
REPEATS_THE_STATUS_CHANGE = Protocol(settle=_release_again)
STAGES_ANEW_UPON_ABSENCE = Protocol(settle=_bury_what_is_absent)
RELEASES_WITHOUT_SETTLING = Protocol(waits_for_stray=False)
TAKES_ANY_QUEUE_FOR_A_HANDOVER = Protocol(settle=_take_any_queue)
DELETES_WHAT_WAS_MOVED = Protocol(settle=_delete_what_was_moved)
ENDS_NOTHING = Protocol(most_tries=None)
FREES_THE_UNMOVABLE = Protocol(frees_the_unmovable=True)
UNDOES_UNCLEAR_MOVES = Protocol(undoes_unclear_moves=True)
PARKS_AT_ONCE = Protocol(settle=_park_at_once)
RETRIES_WITHOUT_A_DELETE = Protocol(settle=_on_word(Bury()))
RETRIES_WITHOUT_PARKING = Protocol(settle=_on_word(Delete()))
RETRIES_WITHOUT_WATCHING = Protocol(settle=_delete_once_parked)
CANCELS_WITHOUT_A_WARNING = Protocol(cancel=_cancel_without_a_warning)
CANCELS_UPON_ABSENCE = Protocol(cancel=_take_absence_for_gone)
EDITS_WITHOUT_TAKING_BACK = Protocol(takes_back=False)
TAKES_BACK_UPON_ABSENCE = Protocol(cancel=_take_absence_for_taken_back)
TAKES_BACK_LATE = CANCELS_WITHOUT_A_WARNING
RELEASES_BEFORE_THE_EDIT = Protocol(waits_for_edits=False)
LETS_AN_APPROVAL_HOLD = Protocol(asks_anew=False)
APPROVES_UNSEEN = Protocol(approves_unseen=True)
