"""Park: moves drafts whose release has an unknown outcome to 2099, where a status change that
arrives late does no harm.

If such a draft were deleted instead, a status change that arrives between the read and the delete
could publish it and leave no trace (docs/POSTIZ.md, "Deleting"). One counted call moves many
drafts.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import methodcaller

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared import failpoints, metrics
from shared.domain.publishing.batching import Candidate, fill_pack
from shared.domain.publishing.reconciliation import PARKED, PARKING
from shared.domain.publishing.states import PostState
from shared.errors import PressroomError
from shared.log import get_logger
from shared.models import Account, Handover, Post, Submission
from shared.postiz.client import Created
from shared.postiz.payloads import Element
from shared.posts import transitions
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import budget_notices, leases, postiz_call
from worker.accounts.error_policy import Refused, Unknown, decide_action
from worker.accounts.remote_posts import Subject, requeue_subjects
from worker.publishing import park_gathering, park_retries
from worker.runtime import Runtime
from worker.staging.batch_selection import build_elements
from worker.staging.submissions import free_marker

log = get_logger("park")
BATCH = 100
FIRST_PARKING_DATE = datetime(2099, 1, 1, tzinfo=UTC)
#: When to try again if another call of the account is running.
SOON = timedelta(seconds=2)


def is_parking_date(moment: datetime) -> bool:
    """Whether the date is one of a parked draft."""
    return moment >= FIRST_PARKING_DATE


@dataclass(frozen=True, kw_only=True)
class Move:
    """A counted call that is recorded and may be sent."""

    submission_id: int
    credentials: CredentialRef  # of the first draft: the call uses this key
    marker_at: datetime
    subjects: Sequence[Subject]
    elements: Sequence[Element]


def park_drafts(
    runtime: Runtime, account_id: int, subjects: Sequence[Subject], *, ends: float
) -> None:
    """Park the drafts with as few calls as their keys and sizes allow, when enough are ready.

    After the monotonic time `ends` no further call is made; the remaining drafts are due at once.
    """
    left = list(subjects)
    if not left or not park_gathering.are_complete(runtime, account_id, left, full=BATCH):
        return
    while move := _reserve_next_move(runtime, account_id, left):
        moved = {subject.post_id for subject in move.subjects}
        left = [subject for subject in left if subject.post_id not in moved]
        _send_move(runtime, move)
        if not left or time.monotonic() >= ends:
            break
    else:
        return  # no call possible now: the next time is recorded
    with runtime.database.transaction() as session:
        requeue_subjects(session, left, timedelta(0))


def _reserve_next_move(
    runtime: Runtime, account_id: int, subjects: Sequence[Subject]
) -> Move | None:
    """Commit the next call and its budget; None if the account cannot make a call now."""
    with runtime.database.transaction() as session:
        lease = runtime.settings.lease_seconds
        account = leases.claim_account(session, account_id, lease_seconds=lease, parking=True)
        if account is None:
            requeue_subjects(session, subjects, SOON)
            return None
        rows = _lock_claimed_posts(session, subjects)
        packed = _pack_elements(session, account_id, rows)
        if packed and leases.reserve_call(session, account, due_at=None):
            return _record_submission(session, account, packed)
        if packed:
            requeue_subjects(session, subjects, leases.PLAN_AGAIN)
        leases.end_lease(session, account)
        return None


def _lock_claimed_posts(
    session: Session, subjects: Sequence[Subject]
) -> list[tuple[Subject, Post]]:
    """Lock the posts that nobody else has claimed since."""
    claims = {subject.post_id: subject for subject in subjects}
    rows = session.scalars(
        select(Post)
        .where(
            Post.id.in_(claims),
            Post.claim == subjects[0].claim,
            Post.state == PostState.RELEASING,
        )
        .order_by(Post.id)
        .with_for_update(key_share=True)
    )
    return [(claims[row.id], row) for row in rows]


def _lock_claimed_subjects(session: Session, subjects: Sequence[Subject]) -> list[Subject]:
    return [subject for subject, _ in _lock_claimed_posts(session, subjects)]


def _pack_elements(
    session: Session, account_id: int, rows: list[tuple[Subject, Post]]
) -> list[tuple[Subject, Element]]:
    """The drafts of one key that fit into a call; half as many after a refused call."""
    ids = {subject.post_id: subject.postiz_id for subject, _ in rows}
    elements = build_elements(session, account_id, [post for _, post in rows], ids)
    by_id = {
        subject.post_id: (subject, elements[subject.post_id])
        for subject, _ in rows
        if subject.post_id in elements
    }
    candidates = [
        Candidate(
            id=subject.post_id,
            key=subject.credentials.key_hash,
            handoff="staged",
            as_draft=False,
            publish_at=subject.publish_at,
            size=element.size,
            pack_limit=min(subject.pack_limit or BATCH, BATCH),
        )
        for subject, element in by_id.values()
    ]
    return [by_id[candidate.id] for candidate in fill_pack(candidates).posts]


def _record_submission(
    session: Session, account: Account, packed: list[tuple[Subject, Element]]
) -> Move:
    chosen = [subject for subject, _ in packed]
    marker_second = FIRST_PARKING_DATE + timedelta(seconds=random.randrange(300 * 24 * 3600))  # noqa: S311 (chance)
    submission = Submission(
        kind="park",
        account_id=account.id,
        profile_id=chosen[0].credentials.profile_id,
        server=account.server,
        marker_at=free_marker(session, account.id, marker_second),
        elements=len(chosen),
    )
    session.add(submission)
    session.flush()
    session.execute(
        update(Handover)
        .where(Handover.id.in_([subject.handover_id for subject in chosen]))
        .values(state=PARKING, parked_at=submission.marker_at)
    )
    transitions.add_events(
        session, [draft.post_id for draft in chosen if not draft.parked], "parking"
    )
    budget_notices.clear_notices(session, [draft.post_id for draft in chosen])
    return Move(
        submission_id=submission.id,
        credentials=chosen[0].credentials,
        marker_at=submission.marker_at,
        subjects=chosen,
        elements=[element for _, element in packed],
    )


def _send_move(runtime: Runtime, move: Move) -> None:
    failpoints.hit("park.before_call")
    try:
        created = postiz_call.make_call(
            runtime,
            move.credentials,
            lambda postiz: postiz.move(move.marker_at, move.elements),
        )
    except PressroomError as error:
        _record_failed_move(runtime, move, error)
        return
    failpoints.hit("park.after_call")
    metrics.SUBMISSION.labels("park").observe(len(move.elements))
    _record_parked(runtime, move, created)


def _record_parked(runtime: Runtime, move: Move, created: Created) -> None:
    """Record moved drafts. A new id in Postiz's answer is a new post, which is deleted."""
    answered = list(zip(created.ids, move.subjects, strict=True))
    parked = [subject for postiz_id, subject in answered if postiz_id == subject.postiz_id]
    unclear = [subject for postiz_id, subject in answered if postiz_id != subject.postiz_id]
    with runtime.database.transaction() as session:
        account = leases.record_success(session, move.credentials.account_id, created.budget)
        leases.end_lease(session, account)
        submission = session.get_one(Submission, move.submission_id)
        submission.state, submission.replied_at = "staged", func.clock_timestamp()
        session.execute(
            update(Handover)
            .where(Handover.id.in_([subject.handover_id for subject in parked]))
            .values(state=PARKED, tries=0, pack_limit=None, to_park_at=None)
        )
        transitions.add_events(session, [subject.post_id for subject in parked], "parked")
        requeue_subjects(session, parked, timedelta(0))
        if unclear:
            park_retries.retry_unclear_move(
                session, _lock_claimed_subjects(session, unclear), "Postiz changed another post"
            )
    failpoints.hit("park.after_commit")
    _delete_orphan_drafts(
        runtime, move, [postiz_id for postiz_id, subject in answered if subject in unclear]
    )


def _delete_orphan_drafts(runtime: Runtime, move: Move, orphan_ids: Sequence[str]) -> None:
    for postiz_id in orphan_ids:
        try:
            postiz_call.make_call(runtime, move.credentials, methodcaller("delete", postiz_id))
        except PressroomError as error:  # harmless in 2099, and visible to a person
            log.warning("litter left in 2099", postiz_id=postiz_id, reason=error.message)


def _record_failed_move(runtime: Runtime, move: Move, error: PressroomError) -> None:
    """A second move is harmless, so a move of unknown outcome is simply repeated."""
    with runtime.database.transaction() as session:
        leases.fail_call(session, move.credentials, error)
        submission = session.get_one(Submission, move.submission_id)
        submission.detail = error.message
        claimed = _lock_claimed_subjects(session, move.subjects)
        match decide_action(error):
            case Unknown():
                submission.state = "abandoned"
                park_retries.retry_unclear_move(session, claimed, error.message)
            case Refused() as refusal:
                submission.state = "rejected"
                at_fault, batch_size = refusal.find_offender(move.subjects), len(move.subjects)
                park_retries.retry_refused_move(
                    session, claimed, at_fault, error.message, of=batch_size
                )
            case _:
                submission.state = "rejected"
                park_retries.retry_unsent_move(session, claimed)
