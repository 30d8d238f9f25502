"""Servers that take posts and publish none, and the indexes by which they are found

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    since = sa.Column("stalled_since", sa.DateTime(timezone=True), nullable=True)
    op.add_column("servers", since)
    overdue = sa.text("state = 'scheduled' AND error_code = 'overdue_in_postiz'")
    op.create_index("ix_posts_overdue", "posts", ["account_id"], postgresql_where=overdue)
    published = sa.text("published_at IS NOT NULL")
    op.create_index(
        "ix_posts_published", "posts", ["account_id", "published_at"], postgresql_where=published
    )


def downgrade() -> None:
    op.drop_index("ix_posts_published", table_name="posts")
    op.drop_index("ix_posts_overdue", table_name="posts")
    op.drop_column("servers", "stalled_since")
