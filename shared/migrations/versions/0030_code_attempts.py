"""Attempts at a second factor wait for wrong codes only

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    count = sa.Column("code_failures", sa.Integer(), server_default="0", nullable=False)
    time = sa.DateTime(timezone=True)
    next_at = sa.Column("next_code_at", time, server_default=sa.func.now(), nullable=False)
    op.add_column("users", count)
    op.add_column("users", next_at)


def downgrade() -> None:
    op.drop_column("users", "next_code_at")
    op.drop_column("users", "code_failures")
