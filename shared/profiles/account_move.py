"""Moves posts that were never released to their profile's new account, in batches.

Posts that are not moved yet are not sent, because their profile's key is of another account.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, text, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.accounts import channel_states, waits
from shared.domain.publishing.states import PostState
from shared.media import upload_queue
from shared.media.post_media import used_media
from shared.models import Account, AccountMedia, Post, Profile
from shared.posts import transitions

#: Rows of each kind per transaction, so that locks are short.
BATCH = 500
#: Moves pending uploads `:ids` from the profile's old account to its new one, `:to`.
_MOVE_UPLOADS = (
    """UPDATE account_media AS waits SET account_id = :to
       WHERE id = ANY(:ids) AND NOT EXISTS (
         SELECT FROM account_media AS there
         WHERE there.media_id = waits.media_id AND there.account_id = :to)""",
    """UPDATE job_media SET account_media_id = there.id
       FROM account_media AS waits JOIN account_media AS there USING (media_id)
       WHERE waits.id = ANY(:ids) AND waits.account_id <> :to
         AND there.account_id = :to AND job_media.account_media_id = waits.id""",
    "DELETE FROM account_media WHERE id = ANY(:ids) AND account_id <> :to",
)


def find_profiles_to_move(session: Session) -> list[tuple[str, int]]:
    """Some profiles that still have rows in an old account, with the id of their new account."""
    found = session.execute(profiles_to_move_query().limit(100))
    return [(profile_id, account_id) for profile_id, account_id in found]


def profiles_to_move_query() -> Select[str, int]:
    behind = or_(
        _any_elsewhere(Post, PostState.PENDING),
        _any_elsewhere(Post, PostState.STAGED),
        _any_elsewhere(AccountMedia, "pending"),
    )
    known = Account.integrations_seen_at.is_not(None)
    query = select(Profile.id, Account.id).join(Account, Account.id == Profile.account_id)
    return query.where(known, behind)


def move_batch(session: Session, profile_id: str, account_id: int) -> int:
    """Move a batch of unlocked rows to the profile's account; returns how many rows were moved."""
    order = Post.waits_for, Post.release_at
    staged = _left_behind(session, Post, profile_id, account_id, PostState.STAGED, order)
    transitions.retire_handovers(session, staged, "the profile has another account", discard=True)
    transitions.move_posts(
        session,
        staged,
        PostState.STAGED,
        PostState.PENDING,
        event="account_changed",
        values=transitions.NOT_IN_POSTIZ,
    )
    order = Post.waits_for, Post.publish_at
    pending = _left_behind(session, Post, profile_id, account_id, PostState.PENDING, order)
    waiting = update(Post).where(Post.id.in_(pending))
    session.execute(waiting.values(account_id=account_id, pack_limit=None, waits_for=""))
    with_error = waiting.where(Post.error_code == waits.OTHER_ACCOUNT.code)
    session.execute(with_error.values(transitions.NO_ERROR))
    waits.set_other_account_aside(session, account_id, Post.id.in_(pending))
    channel_states.hold_back(session, Post.id.in_(pending))
    used = select(func.unnest(used_media())).where(Post.id.in_(pending))
    upload_queue.request_uploads(
        session, sorted(set(session.scalars(used))), profile_id, account_id
    )
    return len(staged) + len(pending) + _move_uploads(session, profile_id, account_id)


def _move_uploads(session: Session, profile_id: str, account_id: int) -> int:
    order = (AccountMedia.next_at,)
    ids = _left_behind(session, AccountMedia, profile_id, account_id, "pending", order)
    for statement in _MOVE_UPLOADS:
        session.execute(text(statement), {"ids": ids, "to": account_id})
    return len(ids)


def _left_behind(  # noqa: PLR0917
    session: Session,
    table: type[Post] | type[AccountMedia],
    profile_id: str,
    account_id: int,
    state: str,
    order: Sequence[InstrumentedAttribute[Any]],
) -> Sequence[int]:
    """A locked batch of the profile's rows in one other account."""
    of_profile = (table.profile_id == profile_id, table.state == state)
    others = select(table.account_id).where(*of_profile).limit(1)
    sides = (
        others.where(table.account_id < account_id),
        others.where(table.account_id > account_id),
    )
    old = session.scalar(select(func.coalesce(*(side.scalar_subquery() for side in sides))))
    if old is None:
        return []
    batch = select(table.id).where(*of_profile, table.account_id == old).order_by(*order)
    return session.scalars(
        batch.limit(BATCH).with_for_update(key_share=True, skip_locked=True)
    ).all()


def _any_elsewhere(table: type[Post] | type[AccountMedia], state: str) -> ColumnElement[bool]:
    """Whether the profile has such rows in another account: two ranges of the index."""
    of_profile = table.profile_id == Profile.id, table.state == state
    below = exists().where(*of_profile, table.account_id < Profile.account_id)
    above = exists().where(*of_profile, table.account_id > Profile.account_id)
    return or_(below, above)
