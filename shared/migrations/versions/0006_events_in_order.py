"""The transaction that wrote an event: by it they are read in an order that nothing can precede"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    written_by = sa.text("(pg_current_xact_id()::text)::bigint")
    op.add_column(
        "events", sa.Column("tx", sa.BigInteger(), server_default=written_by, nullable=False)
    )
    op.drop_index("ix_events_job_id_id", table_name="events")
    op.create_index("ix_events_job_id_tx_id", "events", ["job_id", "tx", "id"])


def downgrade() -> None:
    op.drop_index("ix_events_job_id_tx_id", table_name="events")
    op.create_index("ix_events_job_id_id", "events", ["job_id", "id"])
    op.drop_column("events", "tx")
