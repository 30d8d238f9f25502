"""Posts can be edited: their revision, and new values that wait

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

LEASED = "ix_posts_leased"


def upgrade() -> None:
    first = sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False)
    op.add_column("posts", first)
    op.add_column("posts", sa.Column("edit", JSONB(), nullable=True))
    waits = sa.text("edit IS NOT NULL")
    op.create_index("ix_posts_edit", "posts", ["id"], postgresql_where=waits)
    _index_leased("'staging', 'releasing', 'cancelling', 'rescheduling'")


def downgrade() -> None:
    _index_leased("'staging', 'releasing', 'cancelling'")
    op.drop_index("ix_posts_edit", table_name="posts")
    op.drop_column("posts", "edit")
    op.drop_column("posts", "revision")


def _index_leased(states: str) -> None:
    op.drop_index(LEASED, table_name="posts")
    leased = sa.text(f"state IN ({states})")
    op.create_index(LEASED, "posts", ["lease_until"], postgresql_where=leased)
