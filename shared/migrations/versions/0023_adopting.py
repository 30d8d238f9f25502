"""Adopting: when the windows of calls of unknown end are looked at, and how many there were"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "submissions",
        sa.Column("adoptable", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column(
        "posts", sa.Column("unclear_calls", sa.Integer(), server_default="0", nullable=False)
    )
    for name in ("look_at", "may_run_until"):
        op.add_column("submissions", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_submissions_unclear",
        "submissions",
        ["look_at"],
        postgresql_where=sa.text("state = 'unclear'"),
    )


def downgrade() -> None:
    # what was looked for is staged anew by the older version, once its lease is over
    op.execute("UPDATE submissions SET state = 'sending' WHERE state = 'unclear'")
    op.drop_column("posts", "unclear_calls")
    op.drop_index("ix_submissions_unclear", "submissions")
    for name in ("may_run_until", "look_at", "adoptable"):
        op.drop_column("submissions", name)
