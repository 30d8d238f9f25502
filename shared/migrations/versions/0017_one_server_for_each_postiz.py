"""One server for each Postiz: HOST and HOST/api were two, with an account and a pace each"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

#: Two accounts that list one channel are one organization, now that their server is one.
TWINS = sa.text(
    """SELECT min(kept.account_id) AS winner, gone.account_id AS loser
       FROM integrations AS gone JOIN integrations AS kept
         ON kept.id = gone.id AND kept.account_id < gone.account_id
        AND regexp_replace(kept.server, '(/api)+$', '') = regexp_replace(gone.server, '(/api)+$', '')
       GROUP BY gone.account_id ORDER BY gone.account_id DESC LIMIT 1"""
)
#: As shared/accounts/merging.py makes one account of two.
MERGE = (
    """DELETE FROM integrations AS gone USING integrations AS kept
       WHERE gone.id = kept.id AND gone.account_id = :loser AND kept.account_id = :winner""",
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
    "UPDATE posts SET account_id = :winner WHERE account_id = :loser",
    """INSERT INTO holds (account_id, key_hash, reason, message, since)
       SELECT :winner, key_hash, reason, message, since FROM holds WHERE account_id = :loser
       ON CONFLICT DO NOTHING""",
    "DELETE FROM holds WHERE account_id = :loser",
    """UPDATE profiles SET account_id = :winner, settings_version = settings_version + 1
       WHERE account_id = :loser""",
    """UPDATE accounts AS kept SET
         budget_used = kept.budget_used + gone.budget_used,
         blocked_until = greatest(kept.blocked_until, gone.blocked_until),
         limit_override = least(kept.limit_override, gone.limit_override),
         budget_reserve = greatest(kept.budget_reserve, gone.budget_reserve),
         rule_overrides = gone.rule_overrides || kept.rule_overrides
       FROM accounts AS gone WHERE kept.id = :winner AND gone.id = :loser""",
    "UPDATE accounts SET key_hash = 'merged into ' || :winner WHERE id = :loser",
)


def upgrade() -> None:
    connection = op.get_bind()
    while twins := connection.execute(TWINS).first():
        for statement in MERGE:
            connection.execute(sa.text(statement), {"winner": twins.winner, "loser": twins.loser})
    op.execute(
        "INSERT INTO servers (server, next_write_at) "
        "SELECT regexp_replace(server, '(/api)+$', ''), max(next_write_at) FROM servers "
        "WHERE server ~ '/api$' GROUP BY 1 ON CONFLICT DO NOTHING"
    )
    op.execute("DELETE FROM servers WHERE server ~ '/api$'")
    for table in ("accounts", "integrations", "submissions"):
        op.execute(
            f"UPDATE {table} SET server = regexp_replace(server, '(/api)+$', '') "
            "WHERE server ~ '/api$'"
        )


def downgrade() -> None:
    """What is one stays one."""
