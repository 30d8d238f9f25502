"""What an account's owner sets: limits of its own on calls and on posts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.add_column("accounts", sa.Column("limit_override", sa.Integer(), nullable=True))
    op.add_column("accounts", sa.Column("budget_reserve", sa.Integer(), nullable=True))
    op.add_column(
        "accounts", sa.Column("rule_overrides", _JSON, server_default="{}", nullable=False)
    )


def downgrade() -> None:
    for name in ("rule_overrides", "budget_reserve", "limit_override"):
        op.drop_column("accounts", name)
