"""Threads: what is published under a post

Revision ID: 0036
Revises: 0035
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("posts", sa.Column("thread", JSONB(), server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("posts", "thread")
