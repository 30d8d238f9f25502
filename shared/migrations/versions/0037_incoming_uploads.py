"""Uploads over several requests, and media listed by profile

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    zero = sa.text("0")
    op.create_table(
        "incoming_uploads",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("profile_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("tus_metadata", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("mime", sa.Text(), nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("pieces", ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("received", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("claim", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("lease_until", moment, nullable=True),
        sa.Column("holder", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.Column("media_id", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name="fk_incoming_uploads_profile_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_incoming_uploads"),
        sa.UniqueConstraint("owner", name="uq_incoming_uploads_owner"),
    )
    op.create_index("ix_incoming_uploads_expires_at", "incoming_uploads", ["expires_at"])
    op.create_index("ix_incoming_uploads_profile_id", "incoming_uploads", ["profile_id"])
    op.create_index(
        "ix_incoming_uploads_open",
        "incoming_uploads",
        ["profile_id"],
        postgresql_where=sa.text("finished_at IS NULL"),
        postgresql_include=["size"],
    )
    op.create_index(
        "ix_media_listed", "media", ["profile_id", "id"],
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_media_listed", table_name="media")
    op.drop_table("incoming_uploads")
