"""Posts that a person wants back while they are being released; failed ones found by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "posts",
        sa.Column("take_back", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    take_back = sa.text("take_back")
    op.create_index("ix_posts_take_back", "posts", ["id"], postgresql_where=take_back)
    failed = sa.text("state = 'failed'")
    op.create_index("ix_posts_failed", "posts", ["account_id", "id"], postgresql_where=failed)


def downgrade() -> None:
    op.drop_index("ix_posts_failed", table_name="posts")
    op.drop_index("ix_posts_take_back", table_name="posts")
    op.drop_column("posts", "take_back")
