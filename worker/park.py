"""Park: move drafts of unknown release to 2099, where a status change that lands late is harmless.

A draft that is deleted instead may be published all the same by a status change that lands between
the look and the delete, and leaves no trace (POSTIZ.md). The move is a counted call for many.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import methodcaller

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared import failpoints, metrics, posts
from shared.domain.settling import PARKED, PARKING
from shared.errors import PressroomError
from shared.log import get_logger
from shared.models import Account, Handover, Post, Submission
from shared.postiz import Created
from shared.postiz_calls import Element
from worker import accounts, calling
from worker.choosing import elements_of
from worker.decisions import Unknown, decide
from worker.look import Subject, look_again
from worker.runtime import Runtime
from worker.submissions import free_marker

log = get_logger("park")
AT_ONCE = 100
FAR = datetime(2099, 1, 1, tzinfo=UTC)


def is_far(moment: datetime) -> bool:
    """Whether a date is one that we park at."""
    return moment >= FAR


@dataclass(frozen=True, kw_only=True)
class Move:
    """A counted call that is written down and may be made."""

    submission_id: int
    account_id: int
    claim: int
    marker_at: datetime
    subjects: Sequence[Subject]
    elements: Sequence[Element]


def park(runtime: Runtime, account_id: int, subjects: Sequence[Subject]) -> list[Subject]:
    """Park as many as one call takes, of one profile. Returns those that were."""
    if not subjects:
        return []
    of_one = [one for one in subjects if one.profile_id == subjects[0].profile_id][:AT_ONCE]
    move = _write_down(runtime, account_id, of_one)
    if move is None:
        with runtime.database.transaction() as session:
            look_again(session, of_one, timedelta(seconds=2))
        return []
    first = of_one[0]
    failpoints.hit("park.before_call")
    try:
        created = calling.call(
            runtime,
            first.profile_id,
            first.version,
            account_id,
            lambda postiz: postiz.move(move.marker_at, move.elements),
        )
    except PressroomError as error:
        _failed(runtime, move, error)
        return []
    failpoints.hit("park.after_call")
    metrics.SUBMISSION.labels("park").observe(len(move.elements))
    return _parked(runtime, move, created)


def _write_down(runtime: Runtime, account_id: int, subjects: list[Subject]) -> Move | None:
    """Commit the call and the budget that it uses; None while the account has none to give."""
    with runtime.database.transaction() as session:
        lease = runtime.settings.lease_seconds
        account = accounts.claim(session, account_id, lease_seconds=lease, parking=True)
        if account is None:
            return None
        rows, elements = _still_ours(session, account_id, subjects)
        if not rows or not accounts.reserve_call(session, account, due_at=None):
            accounts.give_back(session, account)
            return None
        return _submission(session, account, rows, elements)


def _still_ours(
    session: Session, account_id: int, subjects: list[Subject]
) -> tuple[list[Subject], list[Element]]:
    """With what is sent of each; one of which that cannot be made waits."""
    claims = {one.post_id: one for one in subjects}
    rows = session.scalars(
        select(Post)
        .where(Post.id.in_(claims), Post.claim == subjects[0].claim)
        .with_for_update(key_share=True)
    )
    ids = {one.post_id: one.postiz_id for one in subjects}
    elements = elements_of(session, account_id, rows.all(), ids)
    return [claims[post_id] for post_id in elements], list(elements.values())


def _submission(
    session: Session, account: Account, chosen: list[Subject], elements: list[Element]
) -> Move:
    second = FAR + timedelta(seconds=random.randrange(300 * 24 * 3600))  # noqa: S311 (chance)
    submission = Submission(
        kind="park",
        account_id=account.id,
        profile_id=chosen[0].profile_id,
        server=account.server,
        marker_at=free_marker(session, account.id, second),
        elements=len(chosen),
    )
    session.add(submission)
    session.flush()
    session.execute(
        update(Handover)
        .where(Handover.id.in_([one.handover_id for one in chosen]))
        .values(state=PARKING, parked_at=submission.marker_at)
    )
    posts.add_events(session, [one.post_id for one in chosen], "parking")
    return Move(
        submission_id=submission.id,
        account_id=account.id,
        claim=account.claim,
        marker_at=submission.marker_at,
        subjects=chosen,
        elements=elements,
    )


def _parked(runtime: Runtime, move: Move, created: Created) -> list[Subject]:
    """Where Postiz answered another id than the one that was sent, it made a new post: litter."""
    told = dict(zip(created.ids, move.subjects, strict=True))
    same = [one for postiz_id, one in told.items() if postiz_id == one.postiz_id]
    strangers = [postiz_id for postiz_id, one in told.items() if postiz_id != one.postiz_id]
    with runtime.database.transaction() as session:
        account = accounts.went_well(session, move.account_id, created.budget)
        accounts.give_back(session, account)
        submission = session.get_one(Submission, move.submission_id)
        submission.state, submission.replied_at = "staged", func.clock_timestamp()
        session.execute(
            update(Handover)
            .where(Handover.id.in_([one.handover_id for one in same]))
            .values(state=PARKED)
        )
        posts.add_events(session, [one.post_id for one in same], "parked")
        look_again(session, same, timedelta(0))
    failpoints.hit("park.after_commit")
    _remove(runtime, move, strangers)
    return same


def _remove(runtime: Runtime, move: Move, strangers: Sequence[str]) -> None:
    if not strangers:
        return
    first = move.subjects[0]
    for postiz_id in strangers:
        delete = methodcaller("delete", postiz_id)
        try:
            calling.call(runtime, first.profile_id, first.version, move.account_id, delete)
        except PressroomError as error:  # dated 2099: nothing comes of it, and a person can see it
            log.warning("litter left in 2099", postiz_id=postiz_id, reason=error.message)


def _failed(runtime: Runtime, move: Move, error: PressroomError) -> None:
    """Moving again is harmless, so an unclear end is as good as none."""
    first = move.subjects[0]
    with runtime.database.transaction() as session:
        accounts.fail_call(session, move.account_id, error, key_hash=first.key_hash)
        submission = session.get_one(Submission, move.submission_id)
        unclear = isinstance(decide(error), Unknown)
        submission.state = "abandoned" if unclear else "rejected"
        submission.detail = error.message
        ids = [one.post_id for one in move.subjects]
        posts.add_events(session, ids, "parking_failed", error.message)
        look_again(session, move.subjects, timedelta(seconds=2))
