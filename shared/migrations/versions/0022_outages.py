"""Outages: when it is seen whether one is over"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("accounts", "servers"):
        op.add_column(table, sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for table in ("accounts", "servers"):
        op.drop_column(table, "probe_at")
