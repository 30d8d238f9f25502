"""Makes one account of two that turn out to be the same Postiz organization."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.db import ROW_LOCK
from shared.models import Account

#: In this order: what refers to a row moves before the row. `:winner` and `:loser` are account ids.
_STATEMENTS = (
    "UPDATE integrations SET account_id = :winner WHERE account_id = :loser",
    """UPDATE job_media SET account_media_id = kept.id
       FROM account_media AS gone JOIN account_media AS kept USING (media_id)
       WHERE gone.account_id = :loser AND kept.account_id = :winner
         AND job_media.account_media_id = gone.id""",
    """DELETE FROM account_media AS gone USING account_media AS kept
       WHERE gone.media_id = kept.media_id
         AND gone.account_id = :loser AND kept.account_id = :winner""",
    "UPDATE account_media SET account_id = :winner WHERE account_id = :loser",
    """UPDATE submissions SET account_id = :winner WHERE account_id = :loser
       AND marker_at NOT IN (SELECT marker_at FROM submissions WHERE account_id = :winner)""",
    "UPDATE handovers SET account_id = :winner WHERE account_id = :loser",
    "UPDATE posts SET account_id = :winner, waits_for = '' WHERE account_id = :loser",
    """INSERT INTO holds (account_id, key_hash, reason, message, since)
       SELECT :winner, key_hash, reason, message, since FROM holds WHERE account_id = :loser
       ON CONFLICT DO NOTHING""",
    "DELETE FROM holds WHERE account_id = :loser",
    "UPDATE profiles SET account_id = :winner, settings_version = settings_version + 1"
    " WHERE account_id = :loser",
)


def merge_accounts(session: Session, duplicate_id: int, winner: Account) -> None:
    """Everything of the loser becomes the winner's; the loser's row stays, empty and unfindable.

    What was used of either's budget counts: both called the same organization.
    """
    duplicate = session.get_one(Account, duplicate_id, with_for_update=ROW_LOCK)
    for statement in _STATEMENTS:
        session.execute(text(statement), {"winner": winner.id, "loser": duplicate_id})
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


def _merge_owner_settings(winner: Account, duplicate: Account) -> None:
    """What the owners set: the more careful of two, and of rules the winner's own."""
    limits = (winner.limit_override, duplicate.limit_override)
    reserves = (winner.budget_reserve, duplicate.budget_reserve)
    winner.limit_override = min((value for value in limits if value is not None), default=None)
    winner.budget_reserve = max((value for value in reserves if value is not None), default=None)
    winner.rule_overrides = {**duplicate.rule_overrides, **winner.rule_overrides}
