"""Prepares a counted call: chooses due posts, and records the call before it is sent."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from shared import db
from shared.domain.publishing.draft_matching import find_adoptable
from shared.domain.publishing.states import PostState
from shared.errors import NoFreeMoment, Paused
from shared.models import Account, Post, Profile, Submission
from shared.postiz.payloads import Element
from shared.posts import transitions
from shared.profiles.credential_ref import CredentialRef
from shared.profiles.publisher_cache import Publisher
from worker.accounts import leases, postiz_call
from worker.accounts.eligibility import eligible_accounts_query, may_go, waits_for_staging
from worker.runtime import Runtime
from worker.staging.batch_selection import Chosen, choose_posts
from worker.staging.staged_drafts import draft_signature

#: Seconds of the calendar in which a free millisecond is searched.
SECONDS_TRIED = 60


@dataclass(frozen=True, kw_only=True)
class Call:
    """A counted call that is recorded and may be sent."""

    submission_id: int
    claim: int
    credentials: CredentialRef
    marker_at: datetime
    post_ids: Sequence[int]
    elements: Sequence[Element]
    as_draft: bool


def find_due_accounts(session: Session) -> Sequence[int]:
    """Accounts that may have a call to make, are not leased, and are due to be planned."""
    return session.scalars(due_accounts_query()).all()


def due_accounts_query() -> Select[int]:
    free = or_(Account.lease_until.is_(None), Account.lease_until < func.now())
    planned = or_(Account.plan_at.is_(None), Account.plan_at <= func.now())
    waiting = eligible_accounts_query(*waits_for_staging(), Profile.paused.is_(False))
    return waiting.where(free, planned, Account.paused.is_(False))


def prepare_call(runtime: Runtime, account_id: int) -> Call | None:
    """Claim the account and its next posts, and record the call, in one transaction."""
    try:
        return _claim_next_call(runtime, account_id)
    except NoFreeMoment as error:
        with runtime.database.transaction() as session:
            leases.record_account_failure(session, account_id, error)
        return None


def _claim_next_call(runtime: Runtime, account_id: int) -> Call | None:
    lease = runtime.settings.lease_seconds
    with runtime.database.transaction() as session:
        account = leases.claim_account(session, account_id, lease_seconds=lease)
        if account is None:
            return None
        chosen = choose_posts(session, account, runtime.last_led, runtime.counts)
        if chosen and leases.reserve_call(session, account, due_at=_earliest_time(chosen)):
            return _record_call(session, account, chosen, lease)
        leases.end_lease(session, account)
        return None


def _earliest_time(chosen: Sequence[Chosen]) -> datetime:
    return min(choice.post.publish_at for choice in chosen)


def check_before_send(runtime: Runtime, call: Call, publisher: Publisher) -> None:
    """The last check before the first byte: may each post still be sent, with exactly this key?

    Raises `SettingsChanged`, `ProfileGone`, and `Paused` if a post may not be sent.
    """
    owner = aliased(Profile)
    same_key = exists().where(
        owner.id == Post.profile_id,
        owner.key_hash.is_not_distinct_from(call.credentials.key_hash),
    )
    ready = select(func.count()).where(
        Post.id.in_(call.post_ids),
        Post.state == PostState.STAGING,
        Post.claim == call.claim,
        may_go(),
        same_key.correlate(Post),
        _is_call_open(call.submission_id),
    )
    asked = postiz_call.ask_with_settings(runtime, publisher, ready.scalar_subquery())
    held_back = len(call.post_ids) - asked
    if held_back:
        raise Paused(f"{held_back} of {len(call.post_ids)} posts were held back before the call")


def _is_call_open(submission_id: int) -> ColumnElement[bool]:
    """Whether no other worker has taken the call over."""
    return exists().where(Submission.id == submission_id, Submission.state == "sending")


def _record_call(session: Session, account: Account, choices: list[Chosen], lease: float) -> Call:
    posts, elements = [choice.post for choice in choices], [choice.element for choice in choices]
    signatures = [draft_signature(post) for post in posts]
    profile = session.get_one(Profile, posts[0].profile_id)
    submission = Submission(
        account_id=account.id,
        profile_id=profile.id,
        server=account.server,
        marker_at=free_marker(session, account.id, _draft_date(posts[0], db.read_clock(session))),
        elements=len(posts),
        sent=[signature.fingerprint for signature in signatures],
        adoptable=find_adoptable(signatures),
    )
    session.add(submission)
    session.flush()
    ids = [post.id for post in posts]
    values = {
        "claim": account.claim,
        "lease_until": func.now() + timedelta(seconds=lease),
        "unclear_calls": Post.unclear_calls + 1,  # until the outcome is known
        "submission_id": submission.id,
    }
    staging = PostState.STAGING
    transitions.move_posts(session, ids, PostState.PENDING, staging, event="staging", values=values)
    return Call(
        submission_id=submission.id,
        claim=account.claim,
        credentials=CredentialRef.from_profile(profile, account.id),
        marker_at=submission.marker_at,
        post_ids=ids,
        elements=elements,
        as_draft=posts[0].as_draft,
    )


def _draft_date(post: Post, now: datetime) -> datetime:
    """The draft's date in Postiz, without milliseconds.

    For `calendar` it is the true time; for `staged` a second of the last 11 hours, because Postiz's
    own rescue of late posts searches two days back and must never find the draft.
    """
    if post.as_draft or post.handoff == "calendar":
        return post.publish_at.replace(microsecond=0)
    back = random.uniform(3600, 11 * 3600)  # noqa: S311 (chance, not secrecy)
    return (now - timedelta(seconds=back)).replace(microsecond=0)


def free_marker(session: Session, account_id: int, second: datetime) -> datetime:
    """A random millisecond (never .000) of that second or a later one that no other call of the
    account uses.

    Raises `NoFreeMoment` if there is none.
    """
    for _ in range(SECONDS_TRIED):
        used = set(
            session.scalars(
                select(Submission.marker_at).where(
                    Submission.account_id == account_id,
                    Submission.marker_at >= second,
                    Submission.marker_at < second + timedelta(seconds=1),
                )
            )
        )
        free = [
            moment
            for ms in range(1, 1000)
            if (moment := second + timedelta(milliseconds=ms)) not in used
        ]
        if free:
            return random.choice(free)  # noqa: S311 (chance, not secrecy)
        second += timedelta(seconds=1)
    raise NoFreeMoment(f"all milliseconds of {SECONDS_TRIED} seconds until {second} are taken")
