"""Merges two accounts that turn out to be the same Postiz organization."""

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shared.accounts import channel_states
from shared.models import Account, Post

#: Run in this order: references to a row move before the row. Parameters: ids of accounts.
_STATEMENTS = (
    "UPDATE integrations SET account_id = :winner WHERE account_id = :duplicate",
    """UPDATE job_media SET account_media_id = kept.id
       FROM account_media AS gone JOIN account_media AS kept USING (media_id)
       WHERE gone.account_id = :duplicate AND kept.account_id = :winner
         AND job_media.account_media_id = gone.id""",
    """DELETE FROM account_media AS gone USING account_media AS kept
       WHERE gone.media_id = kept.media_id
         AND gone.account_id = :duplicate AND kept.account_id = :winner""",
    "UPDATE account_media SET account_id = :winner WHERE account_id = :duplicate",
    """UPDATE submissions SET account_id = :winner WHERE account_id = :duplicate
       AND marker_at NOT IN (SELECT marker_at FROM submissions WHERE account_id = :winner)""",
    "UPDATE handovers SET account_id = :winner WHERE account_id = :duplicate",
    "UPDATE posts SET account_id = :winner, waits_for = '' WHERE account_id = :duplicate",
    """INSERT INTO holds (account_id, key_hash, reason, message, since)
       SELECT :winner, key_hash, reason, message, since FROM holds WHERE account_id = :duplicate
       ON CONFLICT DO NOTHING""",
    "DELETE FROM holds WHERE account_id = :duplicate",
    "UPDATE profiles SET account_id = :winner, settings_version = settings_version + 1"
    " WHERE account_id = :duplicate",
)


def merge_accounts(session: Session, duplicate_id: int, winner: Account) -> None:
    """Move everything from the duplicate to the winner; the duplicate's row stays, unused.

    The calls of both count for the budget, because both called the same organization.
    """
    duplicate = _lock_both(session, duplicate_id, winner)
    for statement in _STATEMENTS:
        session.execute(text(statement), {"winner": winner.id, "duplicate": duplicate_id})
    winner.budget_used += duplicate.budget_used
    blocks = [
        account.blocked_until
        for account in (winner, duplicate)
        if account.blocked_until is not None
    ]
    winner.blocked_until = max(blocks, default=None)
    _merge_owner_settings(winner, duplicate)
    duplicate.key_hash = f"merged into {winner.id}"
    session.flush()
    session.expire_all()
    channel_states.hold_back(session, Post.account_id == winner.id)


def _lock_both(session: Session, duplicate_id: int, winner: Account) -> Account:
    """The duplicate. Both are as they are now, so that no call that was charged meanwhile is
    forgotten; in a common order, because two processes may merge them the other way round."""
    both = select(Account).where(Account.id.in_((duplicate_id, winner.id))).order_by(Account.id)
    locked = both.with_for_update(key_share=True).execution_options(populate_existing=True)
    [duplicate] = [row for row in session.scalars(locked) if row.id == duplicate_id]
    return duplicate


def _merge_owner_settings(winner: Account, duplicate: Account) -> None:
    """The owners' settings: the stricter of two limits; rules of the winner take precedence."""
    limits = (winner.limit_override, duplicate.limit_override)
    reserves = (winner.budget_reserve, duplicate.budget_reserve)
    winner.limit_override = min((value for value in limits if value is not None), default=None)
    winner.budget_reserve = max((value for value in reserves if value is not None), default=None)
    winner.rule_overrides = {**duplicate.rule_overrides, **winner.rule_overrides}
