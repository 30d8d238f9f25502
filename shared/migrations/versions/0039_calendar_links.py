"""Links to read a calendar of posts with

Revision ID: 0039
Revises: 0038
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "calendar_links",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("profile_ids", ARRAY(sa.Text()), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("read", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_read_at", TIME, nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_links"),
        sa.UniqueConstraint("token_hash", name="uq_calendar_links_token_hash"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_calendar_links_user_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint("cardinality(profile_ids) > 0", name="ck_calendar_links_bound"),
    )
    op.create_index("ix_calendar_links_user_id", "calendar_links", ["user_id"])


def downgrade() -> None:
    op.drop_table("calendar_links")
