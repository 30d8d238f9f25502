"""Records the usual outcomes of posts that were read together: one statement for each kind.

What is not usual, and all of a group that cannot be recorded as a whole, is left to be recorded
post by post (reconcile.py, track.py).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from shared import failpoints, metrics
from shared.accounts import channel_states
from shared.containment import contain_failures
from shared.domain.publishing.reconciliation import (
    HandedOver,
    LookAgain,
    Patience,
    Published,
    SettleStep,
    TrackStep,
    track_step,
)
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost
from shared.models import Post
from shared.postiz.client import RemotePost
from shared.posts import transitions
from worker.accounts import rate_limiter, remote_posts
from worker.accounts.remote_posts import Seen, Subject
from worker.runtime import Runtime

#: The next step for a release, from what was seen of it and the current time.
ChooseStep = Callable[[Subject, RemotePost | None, datetime], SettleStep]


@dataclass
class _Whole:
    """Whether a group was recorded as a whole."""

    recorded: bool = False


def record_reconciled(
    runtime: Runtime, group: Sequence[Seen], choose: ChooseStep
) -> tuple[list[Seen], list[Seen]]:
    """Record posts that Postiz has taken over, and those to be read again.

    Returns the former as they are to be tracked, and what was not recorded.
    """
    with _as_a_whole("settle") as whole, runtime.database.transaction() as session:
        now = rate_limiter.clock(session)
        steps = [choose(subject, remote, now) for subject, remote in group]
        taken = [seen for seen, step in zip(group, steps, strict=True) if step == HandedOver()]
        mark_scheduled(session, [subject for subject, _ in taken], now)
        for pause, subjects in _group_by_pause(group, steps).items():
            remote_posts.requeue_subjects(session, subjects, pause)
    if not whole.recorded:
        return [], list(group)
    failpoints.hit("settle.after_commit")
    for step in steps:
        if isinstance(step, HandedOver | LookAgain):
            metrics.SETTLE_STEPS.labels(type(step).__name__).inc()
    others = [
        seen
        for seen, step in zip(group, steps, strict=True)
        if not isinstance(step, HandedOver | LookAgain)
    ]
    return [(as_scheduled(subject), remote) for subject, remote in taken], others


def record_tracked(runtime: Runtime, group: Sequence[Seen]) -> list[Seen]:
    """Record posts that are published, and those to be read again; return the others."""
    usual = [seen for seen in group if _is_usual(*seen)]
    if not usual:
        return list(group)
    failpoints.hit("track.before_commit")
    with _as_a_whole("track") as whole, runtime.database.transaction() as session:
        now = rate_limiter.clock(session)
        patience = patience_from_settings(runtime)
        steps = [choose_track_step(*seen, now, patience) for seen in usual]
        mark_published(
            session, [seen for seen, step in zip(usual, steps, strict=True) if step == Published()]
        )
        for pause, subjects in _group_by_pause(usual, steps).items():
            _track_again(session, subjects, pause)
    if not whole.recorded:
        return list(group)
    failpoints.hit("track.after_commit")
    recorded = {
        subject.post_id
        for (subject, _), step in zip(usual, steps, strict=True)
        if isinstance(step, Published | LookAgain)
    }
    return [seen for seen in group if seen[0].post_id not in recorded]


@contextmanager
def _as_a_whole(where: str) -> Iterator[_Whole]:
    """Around the transaction of a group. After an error nothing of it is recorded: one of its posts
    may belong to another worker, or may be one that cannot be recorded."""
    whole = _Whole()
    try:
        with contain_failures(where, but=(ClaimLost,)) as fate:
            yield whole
        whole.recorded = not fate.failed
    except ClaimLost:
        return


def _is_usual(subject: Subject, remote: RemotePost | None) -> bool:
    """A scheduled post without an error so far, at the date at which we left it."""
    unmoved = remote is not None and remote.publish_at == subject.markers[0]
    expected = subject.state is PostState.SCHEDULED and not subject.in_doubt
    return unmoved and expected and subject.reason is None


def _group_by_pause(
    group: Sequence[Seen], steps: Sequence[SettleStep | TrackStep]
) -> Mapping[timedelta, list[Subject]]:
    """Those that are to be read again."""
    by_pause: dict[timedelta, list[Subject]] = defaultdict(list)
    for (subject, _), step in zip(group, steps, strict=True):
        if isinstance(step, LookAgain):
            by_pause[step.after].append(subject)
    return by_pause


def choose_track_step(
    subject: Subject, remote: RemotePost | None, now: datetime, patience: Patience
) -> TrackStep:
    return track_step(
        remote.state if remote else None,
        now=now,
        due_at=remote_posts.due_at(subject, remote),
        error_at=subject.error_at,
        patience=patience,
        thread=subject.thread,
    )


def patience_from_settings(runtime: Runtime) -> Patience:
    settings = runtime.settings
    return Patience(
        overdue=timedelta(seconds=settings.overdue_seconds),
        error_final=timedelta(seconds=settings.error_final_seconds),
        give_up=timedelta(seconds=settings.outcome_unknown_seconds),
    )


def as_scheduled(subject: Subject) -> Subject:
    return replace(subject, state=PostState.SCHEDULED)


def mark_scheduled(session: Session, subjects: Sequence[Subject], now: datetime) -> None:
    """All of one claim. Raises `ClaimLost` if any of them is not ours any more."""
    if not subjects:
        return
    transitions.move_posts(
        session,
        [subject.post_id for subject in subjects],
        PostState.RELEASING,
        PostState.SCHEDULED,
        event="scheduled",
        claim=subjects[0].claim,
        values={
            "attempts": 0,
            "track_at": func.greatest(now, Post.publish_at) + timedelta(seconds=1),
            **transitions.NO_ERROR,
        },
    )


def mark_published(session: Session, published: Sequence[Seen]) -> None:
    """All of one claim and state. Raises `ClaimLost` if any of them is not ours any more."""
    if not published:
        return
    first = published[0][0]
    urls = transitions.value_of_each(
        {subject.post_id: remote.release_url if remote else None for subject, remote in published}
    )
    transitions.move_posts(
        session,
        [subject.post_id for subject, _ in published],
        first.state,
        PostState.PUBLISHED,
        event="published",
        detail=urls,
        claim=first.claim,
        values={
            "release_url": urls,
            "track_at": None,
            "published_at": func.coalesce(Post.published_at, func.now()),
        },
    )
    of_channels = {subject.integration_id for subject, _ in published}
    channel_states.mark_connected(session, first.credentials.account_id, of_channels)


def _track_again(session: Session, subjects: Sequence[Subject], pause: timedelta) -> None:
    """Those that are not ours any more are left as they are."""
    ours = (
        Post.id.in_([subject.post_id for subject in subjects]),
        Post.claim == subjects[0].claim,
        Post.state == PostState.SCHEDULED,
    )
    again = update(Post).where(*ours).values(track_at=func.now() + pause)
    session.execute(again, execution_options={"synchronize_session": False})
