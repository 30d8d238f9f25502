"""Organization lookup: finds the organization of a key, if Postiz was not available when the key
was saved.

Until then the profile's posts wait and are not moved: most often the key was only rotated. The
lookup also tries settings again that could not be used.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from shared.accounts import holds
from shared.domain.publishing.states import PostState
from shared.errors import PressroomError, SettingsUnusable
from shared.models import Account, Post, Profile
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import postiz_call
from worker.accounts.defects import for_account
from worker.accounts.eligibility import is_rested
from worker.runtime import Runtime

BATCH = 20
WAITING = [
    state
    for state in PostState
    if state not in {PostState.PUBLISHED, PostState.CANCELLED, PostState.FAILED, PostState.DRAFT}
]


def find_due_accounts(session: Session) -> Sequence[int]:
    """Accounts with a profile that needs a lookup."""
    return session.scalars(due_accounts_query()).all()


def due_accounts_query() -> Select[int]:
    return select(Account.id).where(exists().where(*_profiles_to_build()).correlate(Account))


def _profiles_to_build() -> tuple[ColumnElement[bool], ...]:
    """Profiles of the enclosing query's `Account` that need a lookup."""
    waits = exists().where(Post.profile_id == Profile.id, Post.state.in_(WAITING))
    unknown = and_(
        Account.integrations_seen_at.is_(None),
        is_rested(),
        ~holds.is_held(),
        waits.correlate(Profile),
    )
    return Profile.account_id == Account.id, or_(unknown, holds.is_retry_due())


@for_account("meet")
def look_up_organizations(runtime: Runtime, account_id: int) -> None:
    """Build publishers for the account's profiles: this probes Postiz and saves the result."""
    with runtime.database.transaction() as session:
        profiles = session.scalars(
            select(Profile)
            .join(Account, Account.id == account_id)
            .where(*_profiles_to_build())
            .order_by(func.random())  # so that one that always fails does not block others
            .limit(BATCH)
        )
        refs = [CredentialRef.from_profile(profile, account_id) for profile in profiles]
    for credentials in refs:
        try:
            runtime.publishers.reset(credentials.profile_id)
            runtime.publishers.get(credentials.profile_id, credentials.version)
        except PressroomError as error:
            postiz_call.record_failure(runtime, credentials, error)
            if isinstance(error, SettingsUnusable):
                continue  # other profiles may still succeed
            return
        with runtime.database.transaction() as session:
            holds.lift_settings(session, credentials.profile_id)
        runtime.waker.stage(account_id)
