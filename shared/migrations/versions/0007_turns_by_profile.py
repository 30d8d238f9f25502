"""Turns by profile: indexes to find each profile's next post, and when an account is planned again"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STAGED = sa.text("state = 'staged'")
PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("plan_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_posts_staged", table_name="posts")
    columns = ["profile_id", "account_id", "release_at"]
    op.create_index("ix_posts_staged", "posts", columns, postgresql_where=STAGED)
    columns = ["profile_id", "account_id", "publish_at"]
    op.create_index("ix_posts_pending_profile", "posts", columns, postgresql_where=PENDING)


def downgrade() -> None:
    op.drop_index("ix_posts_pending_profile", table_name="posts")
    op.drop_index("ix_posts_staged", table_name="posts")
    columns = ["account_id", "release_at"]
    op.create_index("ix_posts_staged", "posts", columns, postgresql_where=STAGED)
    op.drop_column("accounts", "plan_at")
