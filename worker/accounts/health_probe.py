"""Health probe: after a failed call, read from an account before anything is changed there.

A status change is sent only once per id. If it is the first call after an outage and the outage is
not over, its outcome is unknown; this costs a move to 2099, a delete and another counted call.
"""

from sqlalchemy import select

from shared.domain.publishing.states import PostState
from shared.errors import PressroomError
from shared.models import Account, Handover, Post, Profile
from shared.posts import handovers
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import leases, postiz_call
from worker.accounts.eligibility import is_rested, may_go
from worker.runtime import Runtime


def confirm_healthy(runtime: Runtime, account_id: int) -> bool:
    """Whether the account's last call succeeded, or a read succeeds now."""
    with runtime.database.transaction() as session:
        staged_row = session.execute(
            select(Handover.marker_at, Profile)
            .join(Post, handovers.is_alive_of_post())
            .join(Profile, Profile.id == Post.profile_id)
            .join(Account, Account.id == Post.account_id)
            .where(
                Account.id == account_id,
                Account.failures > 0,
                is_rested(),
                Post.state == PostState.STAGED,
                may_go(),
            )
            .order_by(Post.release_at)
            .limit(1)
        ).first()
        if staged_row is None:  # another process may have met a failure meanwhile
            return session.scalar(select(is_rested()).where(Account.id == account_id)) is True
        marker_at, profile = staged_row
        credentials = CredentialRef.from_profile(profile, account_id)
    try:
        postiz_call.make_call(
            runtime, credentials, lambda postiz: postiz.window(marker_at, marker_at)
        )
    except PressroomError as error:
        postiz_call.record_failure(runtime, credentials, error)
        return False
    with runtime.database.transaction() as session:
        leases.record_answer(session, account_id)
    return True
