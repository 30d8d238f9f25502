"""Threads: what is published under a post

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("posts", sa.Column("thread", JSONB(), server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("posts", "thread")
