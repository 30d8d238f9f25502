"""Settle: what an account's pause was before it was held after a restore"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("settle_pause", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("accounts", "settle_pause")
