"""In doubt: posts that Postiz is late with, or says that it failed, keep their jobs open; and a
person's word that what was handed over was not published"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "posts",
        sa.Column("in_doubt", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    where = sa.text("in_doubt")
    op.create_index("ix_posts_in_doubt", "posts", ["job_id"], postgresql_where=where)
    op.add_column("handovers", sa.Column("word_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("handovers", "word_at")
    op.drop_index("ix_posts_in_doubt", table_name="posts")
    op.drop_column("posts", "in_doubt")
