"""Reading accounts: their current budget, and their backlog of posts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from shared import db
from shared.access.visible_profiles import VisibleProfiles, load_visible
from shared.accounts import holds
from shared.accounts.holds import HeldProfile
from shared.domain.publishing.budget import BudgetState
from shared.domain.publishing.states import PostState
from shared.errors import Forbidden
from shared.models import Account, Integration, Post, Profile

#: Those in which a worker has claimed a post that Postiz has not scheduled yet.
LEASED = (PostState.STAGING, PostState.RELEASING)
#: States of posts that Postiz has not scheduled yet.
BACKLOG = (PostState.PENDING, PostState.STAGED, *LEASED)


#: Each is the condition of an index, so that posts which have ended are not read.
_IN_BACKLOG = (
    Post.state == PostState.PENDING,
    Post.state == PostState.STAGED,
    Post.state.in_(LEASED),
)


def in_backlog() -> ColumnElement[bool]:
    """Whether Postiz has not scheduled a post yet."""
    return or_(*_IN_BACKLOG)


@dataclass(frozen=True, kw_only=True)
class AccountRead:
    """An account as those see it whose profiles use it: nothing of other profiles is in it."""

    account: Account
    profile_ids: Sequence[str]
    integrations: Sequence[Integration]
    held: Sequence[HeldProfile]
    backlog: int
    now: datetime


def budget_state(account: Account) -> BudgetState:
    return BudgetState(
        limit=account.budget_limit,
        used=account.budget_used,
        window_ends_at=account.window_ends_at,
        blocked_until=account.blocked_until,
        own_limit=account.limit_override,
        own_reserve=account.budget_reserve,
    )


def budget_remaining(account: Account, now: datetime) -> int | None:
    """Counted calls left in the window; None while neither Postiz nor the owner has set a limit."""
    most = budget_state(account).most
    if most is None:
        return None
    if account.window_ends_at is not None and account.window_ends_at <= now:
        return most
    return max(0, most - account.budget_used)


def read_profile_accounts(
    session: Session, visible: VisibleProfiles, *, after: int | None, limit: int
) -> list[AccountRead]:
    """The accounts that these profiles use, ordered by id."""
    used = select(Profile.account_id).where(visible.condition(Profile))
    query = select(Account).where(Account.id.in_(used)).order_by(Account.id).limit(limit)
    if after is not None:
        query = query.where(Account.id > after)
    return read_accounts(session, session.scalars(query).all(), visible)


def read_accounts(
    session: Session, accounts: Sequence[Account], visible: VisibleProfiles
) -> list[AccountRead]:
    ids = [account.id for account in accounts]
    profiles = select(Profile.account_id, Profile.id).where(
        Profile.account_id.in_(ids), visible.condition(Profile)
    )
    owners = session.execute(profiles.order_by(Profile.id)).all()
    listed = session.scalars(
        select(Integration)
        .where(Integration.account_id.in_(ids), Integration.listed)
        .order_by(Integration.name, Integration.id)
    ).all()
    backlogs, now = _count_backlogs(session, ids, visible), db.read_clock(session)
    held = holds.list_held(session, ids, visible.ids)
    return [
        AccountRead(
            account=account,
            profile_ids=[profile_id for owner, profile_id in owners if owner == account.id],
            integrations=[row for row in listed if row.account_id == account.id],
            held=[held_profile for held_profile in held if held_profile.account_id == account.id],
            backlog=backlogs.get(account.id, 0),
            now=now,
        )
        for account in accounts
    ]


def _count_backlogs(
    session: Session, ids: Sequence[int], visible: VisibleProfiles
) -> dict[int, int]:
    """Counted in each index by itself, which is enough: the posts are not read."""
    own = Post.account_id.in_(ids), visible.condition(Post)
    found: Counter[int] = Counter()
    for part in _IN_BACKLOG:
        query = select(Post.account_id, func.count()).where(*own, part).group_by(Post.account_id)
        for account_id, number in session.execute(query):
            found[account_id] += number
    return found


def lock_own_account(session: Session, account_id: str, visible: VisibleProfiles) -> Account:
    """The account, held against other writers, and against profiles that would come to use it.

    Raises `NotFound` where none of these profiles uses it, and `Forbidden` where others do too.
    """
    account = load_visible(session, Account, account_id, visible, lock=True)
    others = exists().where(Profile.account_id == account.id, ~visible.condition(Profile))
    if session.scalar(select(others)):
        raise Forbidden("Other profiles use this account too: use a key that may see them all")
    return account
