"""Browsers that a key has signed in

Revision ID: 0041
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "key_sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("api_key_id", sa.BigInteger(), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_key_sessions"),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_keys.id"], name="fk_key_sessions_api_key_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_key_sessions_api_key_id", "key_sessions", ["api_key_id"])


def downgrade() -> None:
    op.drop_table("key_sessions")
