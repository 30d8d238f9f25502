"""Eligibility: which posts may be worked on now, as conditions for queries."""

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

from shared.accounts import holds
from shared.accounts.waits import is_of_other_account
from shared.domain.publishing.planner import CALENDAR_AHEAD, LATE, STAGED_AHEAD
from shared.domain.publishing.states import PostState
from shared.media.post_media import used_media
from shared.models import Account, AccountMedia, Job, Post, Profile
from shared.posts.approval import is_approved
from shared.posts.late_policy import is_in_time

#: How long an account of which nothing is known may turn out to be one that is.
UNKNOWN_FOR = timedelta(days=1)


def is_due_for_staging(account_id: int) -> ColumnElement[bool]:
    """Pending posts that may be staged now."""
    return and_(
        Post.account_id == account_id,
        *could_be_staged(),
        may_go(),
        not_(is_of_other_account()),
        missing_medium().is_(None),
    )


def could_be_staged() -> tuple[ColumnElement[bool], ...]:
    """The conditions on a post's own row; a post that waits for other rows is set aside."""
    ahead = case((Post.handoff == "staged", STAGED_AHEAD), else_=CALENDAR_AHEAD)
    # posts without an identifier are checked first, by worker/staging/deferred_validation.py
    checked = Post.integration_identifier.is_not(None)
    return *waits_for_staging(), checked, Post.publish_at <= func.now() + ahead


def waits_for_staging() -> tuple[ColumnElement[bool], ...]:
    """Pending posts for which a call may be planned: only conditions on their own rows."""
    return (
        Post.state == PostState.PENDING,
        Post.waits_for == "",
        Post.next_at <= func.now(),
        Post.publish_at <= func.now() + CALENDAR_AHEAD,
        Post.take_back.is_(False),
        Post.edit.is_(None),
        is_approved(),
        is_in_time(),
    )


def missing_medium() -> ColumnElement[int | None]:
    """A medium of the post that is not uploaded to its account, None if all are."""
    wanted = func.unnest(used_media()).column_valued("wanted")
    uploaded = aliased(AccountMedia)
    is_uploaded = exists().where(
        uploaded.media_id == wanted,
        uploaded.account_id == Post.account_id,
        uploaded.state == "uploaded",
    )
    missing = select(func.min(wanted)).where(~is_uploaded.correlate_except(uploaded))
    return missing.correlate(Post).scalar_subquery()


def eligible_accounts_query(*due: ColumnElement[bool]) -> Select[int]:
    """Accounts with a usable key and a post that is `due`.

    The query checks profiles first, so that posts of held profiles are not read.
    """
    has_due_post = (
        exists()
        .where(Post.account_id == Account.id, *usable_key_conditions(), *due)
        .correlate(Account)
    )
    return select(Account.id).where(is_rested(), has_due_post)


def is_rested() -> ColumnElement[bool]:
    """Whether the account's waiting time after a failure is over."""
    return or_(Account.retry_at.is_(None), Account.retry_at <= func.now())


@cache
def is_paused() -> ColumnElement[bool]:
    """Whether the post's job is paused."""
    return _of_post(Job.id == Post.job_id, Job.paused.is_(True))


def near_its_time(ahead: timedelta) -> ColumnElement[bool]:
    """Posts with their own time that is within `ahead`, or has passed so recently that they are not
    late yet."""
    own_time = Post.publish_at - Post.created_at > literal_column("interval '1 minute'")
    return and_(
        own_time,  # exactly as in the index, so that it is used
        Post.publish_at > func.now() - LATE,
        Post.publish_at <= func.now() + ahead,
    )


def may_send() -> tuple[ColumnElement[bool], ...]:
    """For a profile joined with its account: whether its posts may be sent."""
    return Profile.paused.is_(False), Account.paused.is_(False), ~holds.is_held()


@cache
def may_go() -> ColumnElement[bool]:
    """It may be published as it is: `may_be_prepared`, and approved where somebody has to."""
    return and_(is_approved(), may_be_prepared())


@cache
def may_be_prepared() -> ColumnElement[bool]:
    """Not paused, not being cancelled or edited, in time, and with a usable key of the account."""
    return and_(
        Post.take_back.is_(False),
        Post.edit.is_(None),
        _of_post(Job.id == Post.job_id, Job.paused.is_(False)),
        _of_post(Profile.id == Post.profile_id, Profile.paused.is_(False)),
        _of_post(Account.id == Post.account_id, Account.paused.is_(False)),
        is_in_time(),
        may_call(),
    )


@cache
def may_call() -> ColumnElement[bool]:
    """The key of the post's profile belongs to the post's account, and is not held."""
    return _of_post(*usable_key_conditions())


def usable_key_conditions() -> tuple[ColumnElement[bool], ...]:
    """Joins a post with its profile, if the profile has a usable key of the post's account."""
    return Profile.id == Post.profile_id, *holds.has_usable_key(Post.account_id)


def is_reachable() -> ColumnElement[bool]:
    """The post's profile still uses the post's account, even if its key is held."""
    return _of_post(Profile.id == Post.profile_id, Profile.account_id == Post.account_id)


def has_left_account() -> ColumnElement[bool]:
    """The post's profile uses another account than the post, and will go on doing so.

    An account of which nothing is known yet may turn out to be the same, most often under a new
    key: it does not count until it is a day old.
    """
    may_be_same = _of_post(
        Profile.id == Post.profile_id,
        Account.id == Profile.account_id,
        Account.integrations_seen_at.is_(None),
        Account.created_at > func.now() - UNKNOWN_FOR,
    )
    return and_(~is_reachable(), ~may_be_same)


def _of_post(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether such rows exist for the post; independent of the joins of the enclosing query."""
    return exists().where(*conditions).correlate(Post)
