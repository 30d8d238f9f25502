"""How long the same post on the same channel counts as a duplicate

Revision ID: 0034
Revises: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    hours = sa.Column("duplicate_window_hours", sa.Integer(), server_default="24", nullable=False)
    op.add_column("profiles", hours)


def downgrade() -> None:
    op.drop_column("profiles", "duplicate_window_hours")
