"""Own times: posts with a time of their own are found beside a backlog that has none"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TIMED = "publish_at - created_at > interval '1 minute'"


def upgrade() -> None:
    op.create_index(
        "ix_posts_pending_timed",
        "posts",
        ["account_id", "publish_at"],
        postgresql_where=sa.text(f"state = 'pending' AND {TIMED}"),
    )
    op.create_index(
        "ix_posts_staged_timed",
        "posts",
        ["profile_id", "account_id", "publish_at"],
        postgresql_where=sa.text(f"state = 'staged' AND {TIMED}"),
    )


def downgrade() -> None:
    op.drop_index("ix_posts_staged_timed", "posts")
    op.drop_index("ix_posts_pending_timed", "posts")
