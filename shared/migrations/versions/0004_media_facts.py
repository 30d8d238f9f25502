"""What is read of a medium besides its size: its codec, and its container's brand"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("codec", sa.Text(), nullable=True))
    op.add_column("media", sa.Column("brand", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("media", "brand")
    op.drop_column("media", "codec")
