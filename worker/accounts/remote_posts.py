"""Reads posts in Postiz: a window of one millisecond each, and a wide one for missing posts."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from shared.domain.networks.failure_reasons import Reason
from shared.domain.publishing.reconciliation import Thread
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, PressroomError, PublisherError
from shared.models import Account, Handover, Post, Profile
from shared.postiz.client import Postiz, RemotePost
from shared.posts import handovers
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import calendar_windows, defects, leases, postiz_call
from worker.accounts.defects import is_defect
from worker.accounts.eligibility import is_rested, may_call
from worker.runtime import Runtime

BATCH = 300
#: When posts that could not be read are read again, if others could be read.
REREAD_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A claimed post that is to be read in Postiz."""

    post_id: int
    credentials: CredentialRef
    claim: int
    lease_column: str
    handover_id: int
    postiz_id: str
    markers: tuple[datetime, ...]  # the dates with which Postiz may list it
    parked: bool
    handover_state: str
    tries: int  # attempts of the handover's current step
    pack_limit: int | None  # maximum posts in one move to 2099
    integration_id: str
    integration_identifier: str | None
    integration_name: str | None
    publish_at: datetime
    released_at: datetime
    was_released: bool  # a status change was sent for its current id
    attempts: int
    thread: Thread | None
    error_at: datetime | None
    reason: Reason | None  # the post's current error
    in_doubt: bool
    word_at: datetime | None  # when a person confirmed that it was not published
    watched_from: datetime | None  # the first time that it was seen parked after that
    claimed_at: datetime  # by the database's clock; before the read
    state: PostState

    @property
    def error_code(self) -> str | None:
        return self.reason.code if self.reason else None


#: A post as Postiz shows it, with None for one that it does not list.
Seen = tuple[Subject, RemotePost | None]


def claim_subjects(
    runtime: Runtime, account_id: int, due: Sequence[ColumnElement[bool]], *, lease_column: str
) -> list[Subject]:
    """Claim the posts that are due to be read; a lease in `lease_column` keeps others away."""
    token = leases.new_claim()
    lease = func.now() + timedelta(seconds=runtime.settings.lease_seconds)
    with runtime.database.transaction() as session:
        ids = session.scalars(
            select(Post.id)
            .join(Account, Account.id == Post.account_id)
            .where(Post.account_id == account_id, is_rested(), *due, may_call())
            .order_by(getattr(Post, lease_column), Post.id)
            .limit(BATCH)
            .with_for_update(of=Post, skip_locked=True)
        ).all()
        taken = update(Post).where(Post.id.in_(ids)).values({"claim": token, lease_column: lease})
        session.execute(taken, execution_options={"synchronize_session": False})
        subjects = _load_subjects(session, ids, token, lease_column)
        for post_id in set(ids) - {subject.post_id for subject in subjects}:
            defects.blame_post(session, post_id, "it has no id in Postiz", claim=token)
        return subjects


def _load_subjects(
    session: Session, ids: Sequence[int], token: int, lease_column: str
) -> list[Subject]:
    claimed_at = session.scalars(select(func.now())).one()
    rows = session.execute(
        select(Post, Handover, Profile)
        .join(Handover, handovers.is_alive_of_post())
        .join(Profile, Profile.id == Post.profile_id)
        .where(Post.id.in_(ids))
        .order_by(Post.publish_at, Post.id)
    )
    return [
        Subject(
            claim=token,
            lease_column=lease_column,
            claimed_at=claimed_at,
            credentials=CredentialRef.from_profile(profile, post.account_id),
            **_post_fields(post),
            **_handover_fields(handover),
        )
        for post, handover, profile in rows
    ]


def _post_fields(post: Post) -> dict[str, Any]:
    return {
        "post_id": post.id,
        "integration_id": post.integration_id,
        "integration_identifier": post.integration_identifier,
        "integration_name": post.integration_name,
        "publish_at": post.publish_at,
        "attempts": post.attempts,
        "thread": _thread_of(post),
        "error_at": post.error_at,
        "reason": _reason_of(post),
        "in_doubt": post.in_doubt,
        "state": PostState(post.state),
    }


def _handover_fields(handover: Handover) -> dict[str, Any]:
    return {
        "handover_id": handover.id,
        "postiz_id": handover.postiz_id,
        "markers": handover.markers,
        "parked": handover.parked_at is not None,
        "handover_state": handover.state,
        "tries": handover.tries,
        "pack_limit": handover.pack_limit,
        "released_at": handover.released_at or handover.created_at,
        "was_released": handover.released_at is not None,
        "word_at": handover.word_at,
        "watched_from": handover.watched_from,
    }


def _thread_of(post: Post) -> Thread | None:
    if not post.thread:
        return None
    minutes = sum(part["delay_minutes"] for part in post.thread)
    return Thread(takes=timedelta(minutes=minutes), since=post.published_at)


def _reason_of(post: Post) -> Reason | None:
    if post.error_code is None:
        return None
    return Reason(
        code=post.error_code, message=post.error_message or "", hint=post.error_hint or ""
    )


def read_posts(
    runtime: Runtime, account_id: int, subjects: Sequence[Subject], *, ends: float
) -> Iterator[Seen]:
    """Each subject as Postiz shows it, as `read_groups` reads them."""
    for group in read_groups(runtime, account_id, subjects, ends=ends):
        yield from group


def read_groups(
    runtime: Runtime, account_id: int, subjects: Sequence[Subject], *, ends: float
) -> Iterator[list[Seen]]:
    """The subjects as Postiz shows them, those together that one read shows.

    Stops early if the account fails, or at the monotonic time `ends`; subjects that were not read
    are returned, so that they are due again.
    """
    left = _group_by_markers(subjects)
    answered, unreadable = False, list[Subject]()
    while left and time.monotonic() < ends:
        credentials, markers = next(iter(left))
        group = left.pop((credentials, markers))
        try:
            seen = postiz_call.make_call(runtime, credentials, _build_search(markers, group))
        except PressroomError as error:
            if is_defect(error):  # says nothing about the account or other posts
                _blame_posts(runtime, group, error)
                continue
            if _is_answered(error) and left and not unreadable:
                unreadable = group  # the next group shows whether the account fails
                continue
            if answered:
                _record_answer(runtime, account_id)
            postiz_call.record_failure(runtime, credentials, error)
            left[credentials, markers] = group
            break
        answered = True
        yield [(subject, seen.get(subject.postiz_id)) for subject in group]
    else:
        if answered:
            _record_answer(runtime, account_id)
    _return_subjects(runtime, [subject for group in left.values() for subject in group])
    _return_subjects(runtime, unreadable, REREAD_AFTER if answered else timedelta(0))


def _is_answered(error: PressroomError) -> bool:
    """Whether Postiz itself answered 500: perhaps it cannot read only this group, so the next group
    is tried."""
    return isinstance(error, PublisherError) and error.status == HTTPStatus.INTERNAL_SERVER_ERROR


@contextmanager
def isolate_post(runtime: Runtime, where: str, subject: Subject) -> Iterator[None]:
    """The work on one post: its errors do not stop the others.

    Ends silently if another worker has claimed the post.
    """
    try:
        with (
            bound_contextvars(profile=subject.credentials.profile_id, post=subject.post_id),
            defects.for_post(runtime, where, subject.post_id, claim=subject.claim),
        ):
            yield
    except ClaimLost:
        return


def _blame_posts(runtime: Runtime, group: Sequence[Subject], error: PressroomError) -> None:
    with runtime.database.transaction() as session:
        for subject in group:
            defects.blame_post(session, subject.post_id, error.message, claim=subject.claim)


def _record_answer(runtime: Runtime, account_id: int) -> None:
    with runtime.database.transaction() as session:
        leases.record_answer(session, account_id)


def _return_subjects(
    runtime: Runtime, subjects: Sequence[Subject], pause: timedelta = timedelta(0)
) -> None:
    if not subjects:
        return
    first = subjects[0]
    ours = Post.id.in_([subject.post_id for subject in subjects]), Post.claim == first.claim
    with runtime.database.transaction() as session:
        values = {first.lease_column: func.now() + pause}
        returned = update(Post).where(*ours).values(values)
        session.execute(returned, execution_options={"synchronize_session": False})


def _build_search(
    markers: Iterable[datetime], group: Sequence[Subject]
) -> Callable[[Postiz], dict[str, RemotePost]]:
    ids = [subject.postiz_id for subject in group]
    everywhere = any(subject.parked for subject in group)  # its absence is evidence
    return partial(calendar_windows.find_posts, markers=markers, ids=ids, everywhere=everywhere)


def _group_by_markers(
    subjects: Iterable[Subject],
) -> dict[tuple[CredentialRef, tuple[datetime, ...]], list[Subject]]:
    groups: dict[tuple[CredentialRef, tuple[datetime, ...]], list[Subject]] = defaultdict(list)
    for subject in subjects:
        groups[subject.credentials, subject.markers].append(subject)
    return groups


def due_at(subject: Subject, remote: RemotePost | None) -> datetime:
    """Postiz's date, which somebody may have moved; but not before the release, because the date of
    a staged draft is in the past."""
    date = remote.publish_at if remote else subject.markers[0]
    return max(date, subject.released_at) if subject.was_released else date


def requeue_subjects(session: Session, subjects: Sequence[Subject], pause: timedelta) -> None:
    """Make the posts due again after `pause`, if they are still under our claim."""
    for claim, claimed in groupby(subjects, lambda subject: subject.claim):
        ours = Post.id.in_([subject.post_id for subject in claimed]), Post.claim == claim
        again = update(Post).where(*ours).values(lease_until=func.now() + pause)
        session.execute(again, execution_options={"synchronize_session": False})


def clock_error(runtime: Runtime, subject: Subject) -> timedelta:
    """How far Postiz's clock is ahead of ours, from the `Date` of its last reply."""
    credentials = subject.credentials
    postiz = runtime.publishers.get(credentials.profile_id, credentials.version).postiz
    return postiz.clock_error
