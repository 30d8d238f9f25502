"""What a request for many posts has edited, until it is answered

Revision ID: 0045
Revises: 0044
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "requested_edits",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", "post_id", name="pk_requested_edits"),
        sa.ForeignKeyConstraint(
            ["caller", "key"],
            ["idempotency_keys.caller", "idempotency_keys.key"],
            name="fk_requested_edits_caller_key",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("requested_edits")
