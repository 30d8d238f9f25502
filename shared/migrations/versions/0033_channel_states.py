"""Channels that cannot publish, and the posts that wait for them

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_COLUMNS = (
    sa.Column("state", sa.Text(), server_default="ready", nullable=False),
    sa.Column("state_since", sa.DateTime(timezone=True), nullable=True),
    sa.Column("state_reason", sa.Text(), nullable=True),
    sa.Column("told_state", sa.Text(), server_default="ready", nullable=False),
    sa.Column("trial_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("trials", sa.Integer(), server_default="0", nullable=False),
)


def upgrade() -> None:
    for column in _COLUMNS:
        op.add_column("integrations", column)
    op.execute("UPDATE integrations SET state = 'gone', state_since = now() WHERE NOT listed")
    op.execute("UPDATE integrations SET state = 'disabled', state_since = now() WHERE disabled")
    op.execute("UPDATE integrations SET told_state = state")
    untold = sa.text("state <> told_state")
    op.create_index("ix_integrations_untold", "integrations", ["id"], postgresql_where=untold)
    op.create_index(
        "ix_integrations_not_ready",
        "integrations",
        ["trial_at"],
        postgresql_where=sa.text("state <> 'ready'"),
    )


def downgrade() -> None:
    op.drop_index("ix_integrations_untold", table_name="integrations")
    op.drop_index("ix_integrations_not_ready", table_name="integrations")
    for column in _COLUMNS:
        op.drop_column("integrations", column.name)
