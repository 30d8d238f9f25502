"""Quotas: numbers of a profile's own, and indexes that count what it has

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("profiles", sa.Column("quotas", JSONB(), server_default="{}", nullable=False))
    op.create_index(
        "ix_media_kept",
        "media",
        ["profile_id"],
        postgresql_where=sa.text("storage_key IS NOT NULL AND sha256 IS NOT NULL"),
        postgresql_include=["size"],
    )
    op.create_index(
        "ix_jobs_unfinished_profile",
        "jobs",
        ["profile_id"],
        postgresql_where=sa.text("finished_at IS NULL"),
        postgresql_include=["total"],
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_unfinished_profile", table_name="jobs")
    op.drop_index("ix_media_kept", table_name="media")
    op.drop_column("profiles", "quotas")
