"""Counted states: followed posts are counted by their state without reading their rows"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TRACKED = sa.text("track_at IS NOT NULL")
COLUMNS = ["account_id", "track_at"]


def upgrade() -> None:
    op.drop_index("ix_posts_tracked", table_name="posts")
    op.create_index(
        "ix_posts_tracked",
        "posts",
        COLUMNS,
        postgresql_where=TRACKED,
        postgresql_include=["state"],
    )


def downgrade() -> None:
    op.drop_index("ix_posts_tracked", table_name="posts")
    op.create_index("ix_posts_tracked", "posts", COLUMNS, postgresql_where=TRACKED)
