"""Indexes of the lists that people look at: by state, reason and time, among a million posts

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

BY_STATE, BY_TIME = "ix_posts_state_id", "ix_posts_profile_id_publish_at"
BY_REASON, FAILURES = "ix_posts_error_code_id", "ix_posts_failed_error_at"


def upgrade() -> None:
    op.create_index(BY_STATE, "posts", ["state", "id"])
    by_time = ["profile_id", "publish_at"]
    op.create_index(BY_TIME, "posts", by_time, postgresql_include=["state"])
    has_reason = sa.text("error_code IS NOT NULL")
    op.create_index(BY_REASON, "posts", ["error_code", "id"], postgresql_where=has_reason)
    failed = sa.text("state = 'failed'")
    op.create_index(FAILURES, "posts", ["error_at"], postgresql_where=failed)


def downgrade() -> None:
    for index in (BY_STATE, BY_TIME, BY_REASON, FAILURES):
        op.drop_index(index, table_name="posts")
