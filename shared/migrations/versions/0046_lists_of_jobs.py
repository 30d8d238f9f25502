"""Indexes of the jobs that publish, which people look for among a job for each upload

Revision ID: 0046
Revises: 0045
"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

PUBLISHING = sa.text("kind IN ('publish', 'bulk_publish')")
INDEXES = {"ix_jobs_publishing": ["id"], "ix_jobs_publishing_profile": ["profile_id", "id"]}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(name, "jobs", columns, postgresql_where=PUBLISHING)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="jobs")
