"""Watched: since when a post that a person wants tried again was seen to be parked in 2099"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("handovers", sa.Column("watched_from", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("handovers", "watched_from")
