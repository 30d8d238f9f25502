"""Claims due posts for their release: what will be sent is committed before anything is sent."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from shared import metrics
from shared.containment import contain_failures
from shared.db import after_commit
from shared.domain.publishing.states import PostState
from shared.models import Handover, Post
from shared.posts import handovers, transitions
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import defects, leases, rate_limiter
from worker.releasing.due_posts import DuePost, Turns, lock_due_posts
from worker.runtime import Runtime

#: Why a post waits whose draft was released before, or is not known.
NO_ID = "an error of Pressroom's own: its draft has no id that may be released"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A status change that is recorded and may be sent.

    `not_before`: when its server allows it, on the monotonic clock of this process.
    """

    post_id: int
    handover_id: int
    postiz_id: str
    claim: int
    credentials: CredentialRef
    server: str
    not_before: float


def claim_releases(runtime: Runtime, wanted: Sequence[Turns]) -> list[Release]:
    """Claim posts and commit them as `releasing`, in the order in which they are to be sent.

    After an unexpected error a post of each profile is claimed alone, so that the error makes only
    its own post or account wait.
    """
    found_ids: list[int] = []
    with (
        contain_failures("release", profiles=len(wanted)) as fate,
        runtime.database.transaction() as session,
    ):
        settle_seconds = runtime.settings.settle_seconds
        found = lock_due_posts(session, wanted, runtime.counts, settle_seconds)
        found_ids += [due_post.post.id for due_post in found]
        return _claim_found_posts(runtime, session, found)
    if sum(turns.count for turns in wanted) > 1:
        alone = [Turns(due=turns.due, count=1) for turns in wanted]
        return [release for turns in alone for release in claim_releases(runtime, [turns])]
    with runtime.database.transaction() as session:
        if found_ids and fate.error is not None:
            defects.blame_post(session, found_ids[0], defects.describe_error(fate.error))
        else:
            leases.rest_account(session, wanted[0].due.account_id)
    return []


def _claim_found_posts(
    runtime: Runtime, session: Session, found: Sequence[DuePost]
) -> list[Release]:
    """As many as their servers allow writes."""
    starts = _take_slots(runtime, found)
    allowed = [due_post for due_post in found if due_post.post.id in starts]
    releases = _record_releases(session, allowed, starts, runtime.settings.lease_seconds)
    runtime.counts.update(release.credentials.profile_id for release in releases)
    return releases


def _take_slots(runtime: Runtime, found: Sequence[DuePost]) -> dict[int, float]:
    """By post: when it may be sent, on the monotonic clock."""
    by_server: dict[str, list[int]] = defaultdict(list)
    for due_post in found:
        by_server[due_post.server].append(due_post.post.id)
    wanted = {server: len(post_ids) for server, post_ids in by_server.items()}
    per_second = runtime.settings.writes_per_second
    slots = rate_limiter.take_slots(runtime.database, wanted, per_second=per_second)
    now = time.monotonic()
    return {
        post_id: now + pause
        for server, post_ids in by_server.items()
        for post_id, pause in zip(post_ids, slots.get(server, ()), strict=False)
    }


def _record_releases(
    session: Session, posts: Sequence[DuePost], starts: Mapping[int, float], lease: float
) -> list[Release]:
    marked = _mark_handovers(session, [due_post.post.id for due_post in posts])
    ready = [due_post for due_post in posts if due_post.post.id in marked]
    for due_post in posts:
        if due_post.post.id not in marked:
            defects.blame_post(session, due_post.post.id, NO_ID)
    claim = leases.new_claim()
    transitions.move_posts(
        session,
        [due_post.post.id for due_post in ready],
        PostState.STAGED,
        PostState.RELEASING,
        event="releasing",
        values={
            "claim": claim,
            "lease_until": func.now() + timedelta(seconds=lease),
            "attempts": Post.attempts + 1,
            "released_at": func.clock_timestamp(),
        },
    )
    return [
        _as_release(session, due_post, marked[due_post.post.id], claim, starts)
        for due_post in ready
    ]


def _mark_handovers(session: Session, post_ids: Sequence[int]) -> dict[int, Handover]:
    """By post: its id in Postiz, which is released only once."""
    if not post_ids:
        return {}
    never_released = handovers.is_alive(), Handover.released_at.is_(None)
    marked = session.scalars(
        update(Handover)
        .where(Handover.post_id.in_(post_ids), *never_released)
        .values(released_at=func.clock_timestamp(), state="releasing")
        .returning(Handover)
    )
    return {handover.post_id: handover for handover in marked}


def _as_release(
    session: Session, due_post: DuePost, handover: Handover, claim: int, starts: Mapping[int, float]
) -> Release:
    post = due_post.post
    assert handover.released_at is not None  # it was just set
    moments = {"accepted_at": post.created_at, "released_at": handover.released_at}
    after_commit(session, partial(metrics.observe_lateness, post.publish_at, **moments))
    return Release(
        post_id=post.id,
        handover_id=handover.id,
        postiz_id=handover.postiz_id,
        claim=claim,
        credentials=CredentialRef.from_profile(due_post.profile, post.account_id),
        server=due_post.server,
        not_before=starts[post.id],
    )
