"""Posts that go out only once a person has approved them, and links to approve them with

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

LATE, UNCHECKED = "ix_posts_late_policy", "ix_posts_unchecked"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    for table in ("profiles", "posts"):
        op.add_column(table, _flag_column("requires_approval"))
    op.add_column("posts", sa.Column("approved_revision", sa.Integer(), nullable=True))
    waits = sa.text("state = 'waiting_approval'")
    op.create_index("ix_posts_waiting_approval", "posts", ["account_id"], postgresql_where=waits)
    _index_open("'pending', 'staged', 'waiting_approval'", "IN ('pending', 'waiting_approval')")
    op.create_table(
        "approval_links",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("opened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("decided", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_approval_links"),
        sa.UniqueConstraint("token_hash", name="uq_approval_links_token_hash"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_approval_links_job_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name="fk_approval_links_profile_id"
        ),
    )
    op.create_index("ix_approval_links_job_id", "approval_links", ["job_id"])
    op.create_index("ix_approval_links_profile_id", "approval_links", ["profile_id"])


def downgrade() -> None:
    """What waits for an approval is kept from going out: it is cancelled."""
    op.drop_table("approval_links")
    op.execute("UPDATE posts SET state = 'cancelled' WHERE state = 'waiting_approval'")
    _index_open("'pending', 'staged'", "= 'pending'")
    op.drop_index("ix_posts_waiting_approval", table_name="posts")
    op.drop_column("posts", "approved_revision")
    for table in ("posts", "profiles"):
        op.drop_column(table, "requires_approval")


def _flag_column(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)


def _index_open(stoppable: str, waiting: str) -> None:
    for index in (LATE, UNCHECKED):
        op.drop_index(index, table_name="posts")
    late = sa.text(f"late_policy IN ('skip', 'hold') AND state IN ({stoppable})")
    op.create_index(LATE, "posts", ["publish_at"], postgresql_where=late)
    unchecked = sa.text(f"state {waiting} AND integration_identifier IS NULL")
    op.create_index(UNCHECKED, "posts", ["account_id", "publish_at"], postgresql_where=unchecked)
