"""Whose things: nothing is bound to no profile; a grant for the operator's credentials; key rotation

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BOUND = ("api_keys", "webhooks")


def upgrade() -> None:
    for table in BOUND:
        op.execute(f"DELETE FROM {table} WHERE cardinality(profile_ids) = 0")
        op.create_check_constraint(f"ck_{table}_bound", table, "cardinality(profile_ids) > 0")
    op.add_column(
        "profiles",
        sa.Column("environment_allowed", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.execute(
        "UPDATE profiles SET environment_allowed = true"
        " WHERE tts_settings -> 'postiz' IS NULL OR tts_settings -> 'postiz' = 'null'"
    )
    op.add_column("api_keys", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "retired_keys",
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("api_key_id", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="pk_retired_keys"),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_keys.id"],
            name="fk_retired_keys_api_key_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_retired_keys_api_key_id", "retired_keys", ["api_key_id"])


def downgrade() -> None:
    op.drop_table("retired_keys")
    op.drop_column("api_keys", "last_used_at")
    op.drop_column("profiles", "environment_allowed")
    for table in BOUND:
        op.drop_constraint(f"ck_{table}_bound", table)
