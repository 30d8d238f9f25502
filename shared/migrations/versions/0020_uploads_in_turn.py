"""Uploads in turn: each profile's first is found by one look into the index.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_account_media_waiting", table_name="account_media")
    op.create_index(
        "ix_account_media_waiting",
        "account_media",
        ["profile_id", "next_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )


def downgrade() -> None:
    op.drop_index("ix_account_media_waiting", table_name="account_media")
    op.create_index(
        "ix_account_media_waiting",
        "account_media",
        ["next_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
