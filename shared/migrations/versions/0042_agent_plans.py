"""Plans of agents, which are published by their id

Revision ID: 0042
Revises: 0041
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "agent_plans",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("profile_id", sa.String(64), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agent_plans"),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.id"],
            name="fk_agent_plans_profile_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_agent_plans_caller", "agent_plans", ["caller", "expires_at"])
    op.create_index("ix_agent_plans_profile_id", "agent_plans", ["profile_id"])
    op.create_index("ix_agent_plans_created_at", "agent_plans", ["created_at"])


def downgrade() -> None:
    op.drop_table("agent_plans")
