"""Ends: how often a step was tried for an id in Postiz, and when it may be tried again"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("handovers", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("handovers", sa.Column("next_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("handovers", sa.Column("pack_limit", sa.Integer(), nullable=True))
    op.add_column("handovers", sa.Column("to_park_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "submissions", sa.Column("litter_tries", sa.Integer(), nullable=False, server_default="0")
    )
    # of moves to 2099 nothing is left to look for
    op.execute("UPDATE submissions SET litter_at = NULL WHERE kind = 'park'")


def downgrade() -> None:
    op.drop_column("submissions", "litter_tries")
    for name in ("to_park_at", "pack_limit", "next_at", "tries"):
        op.drop_column("handovers", name)
