"""What becomes of a post that could not go out in time"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "posts",
        sa.Column("late_policy", sa.Text(), server_default="publish", nullable=False),
    )
    op.create_index(
        "ix_posts_late_policy",
        "posts",
        ["publish_at"],
        postgresql_where=sa.text(
            "late_policy IN ('skip', 'hold') AND state IN ('pending', 'staged')"
        ),
    )
    op.create_index("ix_posts_integration_id_publish_at", "posts", ["integration_id", "publish_at"])


def downgrade() -> None:
    op.drop_index("ix_posts_integration_id_publish_at", table_name="posts")
    op.drop_index("ix_posts_late_policy", table_name="posts")
    op.drop_column("posts", "late_policy")
