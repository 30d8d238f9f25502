"""Eligible: which posts may be worked on now, as conditions of the queries that look for them."""

from datetime import timedelta
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from shared import holds
from shared.domain.planner import CALENDAR_AHEAD, LATE, STAGED_AHEAD
from shared.domain.states import PostState
from shared.late_policy import not_too_late
from shared.models import Account, AccountMedia, Integration, Job, Post, Profile
from worker import accounts


def due(account_id: int) -> ColumnElement[bool]:
    """Which pending posts may be staged now."""
    ahead = case((Post.handoff == "staged", STAGED_AHEAD), else_=CALENDAR_AHEAD)
    wanted = func.unnest(Post.media_ids).column_valued("wanted")
    uploaded = aliased(AccountMedia)
    there = exists().where(
        uploaded.media_id == wanted,
        uploaded.account_id == Post.account_id,
        uploaded.state == "uploaded",
    )
    missing = select(wanted).where(~there.correlate_except(uploaded)).correlate(Post).exists()
    return and_(
        Post.account_id == account_id,
        Post.integration_identifier.is_not(None),  # else see worker/late.py
        Post.publish_at <= func.now() + ahead,
        *waits_for_staging(),
        not_(elsewhere()),
        not_(missing),
    )


def waits_for_staging() -> tuple[ColumnElement[bool], ...]:
    """Which posts an account is to be planned for; one that is elsewhere, until it was told so."""
    return (
        Post.state == PostState.PENDING,
        Post.next_at <= func.now(),
        Post.publish_at <= func.now() + CALENDAR_AHEAD,
        may_go(),
        or_(not_(elsewhere()), Post.error_code.is_(None)),
    )


def accounts_with(*due: ColumnElement[bool]) -> Select[int]:
    """The accounts that may be called with a key of theirs for a post that is `due`.

    By profile first, so that what is held costs no look at its posts.
    """
    has_one = exists().where(Post.account_id == Account.id, *with_key(), *due).correlate(Account)
    return select(Account.id).where(accounts.rested(), has_one)


def near_its_time(ahead: timedelta) -> ColumnElement[bool]:
    """Which posts have a time of their own that is within `ahead`, or passed without their being
    late: they can still go out at it."""
    own_time = Post.publish_at - Post.created_at > literal_column("interval '1 minute'")
    return and_(
        own_time,  # in the words of its index
        Post.publish_at > func.now() - LATE,
        Post.publish_at <= func.now() + ahead,
    )


@cache
def elsewhere() -> ColumnElement[bool]:
    """The post's integration is known, but only of another organization than the profile's key.

    Two Postiz servers may use the same id: what the account has itself is its own.
    """
    known = exists().where(Integration.id == Post.integration_id).correlate(Post)
    own = exists().where(
        Integration.id == Post.integration_id, Integration.account_id == Post.account_id
    )
    return and_(known, not_(own.correlate(Post)))


@cache
def may_go() -> ColumnElement[bool]:
    """Not paused, not wanted back, in time, and the profile's key may be used for the account."""
    return and_(
        Post.take_back.is_(False),
        _of_post(Job.id == Post.job_id, Job.paused.is_(False)),
        _of_post(Profile.id == Post.profile_id, Profile.paused.is_(False)),
        _of_post(Account.id == Post.account_id, Account.paused.is_(False)),
        not_too_late(),
        may_call(),
    )


@cache
def may_call() -> ColumnElement[bool]:
    """The profile's key is of this post's account, and not held there."""
    return _of_post(*with_key())


def with_key() -> tuple[ColumnElement[bool], ...]:
    """Joins a post with its profile, where that has a key of its account that may be used."""
    of_post = Profile.id == Post.profile_id, Profile.account_id == Post.account_id
    return *of_post, ~holds.is_held()


def _of_post(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether such rows exist for the post, whatever else the query around it joins."""
    return exists().where(*conditions).correlate(Post)
