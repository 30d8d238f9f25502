"""An index of the posts that stand in Postiz's calendar, for what goes out next

Revision ID: 0044
Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

IN_CALENDAR = "ix_posts_in_calendar"


def upgrade() -> None:
    columns = ["profile_id", "account_id", "publish_at"]
    which = sa.text("state = 'scheduled' AND handoff = 'calendar'")
    op.create_index(IN_CALENDAR, "posts", columns, postgresql_where=which)


def downgrade() -> None:
    op.drop_index(IN_CALENDAR, table_name="posts")
