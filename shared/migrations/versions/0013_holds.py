"""Holds: a row for each key that an account refuses, and for each reason"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_holds_account_id"),
        sa.PrimaryKeyConstraint("account_id", "key_hash", "reason", name="pk_holds"),
    )
    op.execute(
        "INSERT INTO holds (account_id, key_hash, reason, message) "
        "SELECT id, held_key, held, 'Postiz refused the key' FROM accounts "
        "WHERE held_key IS NOT NULL AND held <> 'not_configured'"
    )
    for name in ("held", "held_key", "holds_told"):
        op.drop_column("accounts", name)


def downgrade() -> None:
    """One hold of each account is kept: the columns have room for no more."""
    op.add_column("accounts", sa.Column("held", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("held_key", sa.Text(), nullable=True))
    told: sa.Column[list[str]] = sa.Column("holds_told", ARRAY(sa.Text()), server_default="{}", nullable=False)
    op.add_column("accounts", told)
    op.execute(
        "UPDATE accounts SET held = kept.reason, held_key = kept.key_hash, holds_told = kept.told "
        "FROM (SELECT DISTINCT ON (account_id) account_id, reason, key_hash, "
        "array_agg(reason || ' ' || key_hash) OVER (PARTITION BY account_id) AS told "
        "FROM holds ORDER BY account_id, since DESC) AS kept WHERE kept.account_id = accounts.id"
    )
    op.drop_table("holds")
