"""Meeting: find out whose organization a key is of, when Postiz could not say as it was saved.

Until then the profile's posts wait where they are: most often the key was only rotated, and they go
on without having been moved.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared import holds
from shared.domain.states import PostState
from shared.errors import PressroomError
from shared.models import Account, Post, Profile
from worker import accounts
from worker.runtime import Runtime

WAITING = [
    state
    for state in PostState
    if state not in {PostState.PUBLISHED, PostState.CANCELLED, PostState.FAILED, PostState.DRAFT}
]


def due(session: Session) -> Sequence[int]:
    """Accounts of which nothing is known yet, though posts wait for it."""
    waits = exists().where(
        Profile.account_id == Account.id,
        Post.profile_id == Profile.id,
        Post.state.in_(WAITING),
    )
    may_ask = exists().where(*_askable(Account.id))
    unknown = Account.integrations_seen_at.is_(None)
    return session.scalars(
        select(Account.id).where(unknown, accounts.rested(), waits, may_ask)
    ).all()


def _askable(account_id: int | InstrumentedAttribute[int]) -> Sequence[ColumnElement[bool]]:
    """The account's profiles with whose settings it can be asked."""
    return Profile.account_id == account_id, ~holds.is_held()


def meet(runtime: Runtime, account_id: int) -> None:
    """Build a publisher for one of the account's profiles, which looks and remembers."""
    with runtime.database.transaction() as session:
        found = session.execute(
            select(Profile.id, Profile.settings_version, Profile.key_hash)
            .where(*_askable(account_id))
            .order_by(func.random())  # one that can never answer must not stand for all
            .limit(1)
        ).first()
    if found is None:
        return
    profile_id, version, key_hash = found
    try:
        runtime.publishers.reset(profile_id)
        runtime.publishers.get(profile_id, version)
    except PressroomError as error:
        with runtime.database.transaction() as session:
            accounts.went_wrong(session, account_id, error, key_hash=key_hash)
