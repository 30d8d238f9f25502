"""When a playlist ends

Revision ID: 0035
Revises: 0034
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedules", sa.Column("until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("schedules", sa.Column("runs_left", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("schedules", "runs_left")
    op.drop_column("schedules", "until")
