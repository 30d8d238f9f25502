"""Held: a state of its own for what is late and waits for a person; `late_policy` is the user's word"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

HELD = """
UPDATE posts SET state = CASE state WHEN 'pending' THEN 'held' ELSE state END, late_policy = 'hold'
WHERE late_policy = 'held'
"""
AS_BEFORE = """
UPDATE posts SET state = 'pending', late_policy = 'held' WHERE state = 'held'
"""


def upgrade() -> None:
    op.execute(HELD)
    where = sa.text("state = 'held'")
    op.create_index(
        "ix_posts_held", "posts", ["profile_id", "account_id"], postgresql_where=where
    )


def downgrade() -> None:
    op.drop_index("ix_posts_held", table_name="posts")
    op.execute(AS_BEFORE)
