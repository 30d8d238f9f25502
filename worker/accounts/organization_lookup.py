"""Meeting: find out whose organization a key is of, when Postiz could not say as it was saved.

Until then the profile's posts wait where they are: most often the key was only rotated, and they go
on without having been moved. And settings that could not be used are tried again.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from shared.accounts import holds
from shared.domain.publishing.states import PostState
from shared.errors import PressroomError, SettingsUnusable
from shared.models import Account, Post, Profile
from worker.accounts import leases
from worker.accounts.defects import for_account
from worker.runtime import Runtime

AT_ONCE = 20
WAITING = [
    state
    for state in PostState
    if state not in {PostState.PUBLISHED, PostState.CANCELLED, PostState.FAILED, PostState.DRAFT}
]


def find_due_accounts(session: Session) -> Sequence[int]:
    """The accounts with a profile of which a publisher has to be built to learn something."""
    query = select(Account.id).where(exists().where(*_profiles_to_build()).correlate(Account))
    return session.scalars(query).all()


def _profiles_to_build() -> tuple[ColumnElement[bool], ...]:
    """Which profiles of the `Account` around: the one condition of who wakes and who builds."""
    waits = exists().where(Post.profile_id == Profile.id, Post.state.in_(WAITING))
    unknown = and_(
        Account.integrations_seen_at.is_(None),
        leases.is_rested(),
        ~holds.is_held(),
        waits.correlate(Profile),
    )
    return Profile.account_id == Account.id, or_(unknown, holds.is_retry_due())


@for_account("meet")
def look_up_organizations(runtime: Runtime, account_id: int) -> None:
    """Build publishers for the account's profiles, which looks and remembers."""
    with runtime.database.transaction() as session:
        profiles = session.execute(
            select(Profile.id, Profile.settings_version, Profile.key_hash)
            .join(Account, Account.id == account_id)
            .where(*_profiles_to_build())
            .order_by(func.random())  # one that can never answer must not stand for all
            .limit(AT_ONCE)
        ).all()
    for profile_id, version, key_hash in profiles:
        try:
            runtime.publishers.reset(profile_id)
            runtime.publishers.get(profile_id, version)
        except PressroomError as error:
            with runtime.database.transaction() as session:
                leases.record_failure(session, account_id, error, key_hash=key_hash)
            if isinstance(error, SettingsUnusable):
                continue  # it says nothing of the others
            return
        with runtime.database.transaction() as session:
            holds.lift_settings(session, profile_id)
        runtime.waker.stage(account_id)
