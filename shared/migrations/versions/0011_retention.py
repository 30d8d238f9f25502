"""Retention: when a medium was used last and removed, and indexes by which pruning finds its rows"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment, now = sa.DateTime(timezone=True), sa.text("now()")
    op.add_column("media", sa.Column("used_at", moment, server_default=now, nullable=False))
    op.add_column("media", sa.Column("removed_at", moment, nullable=True))
    here = sa.text("removed_at IS NULL")
    op.create_index("ix_media_used_at", "media", ["used_at"], postgresql_where=here)
    going = sa.text("removed_at IS NOT NULL AND storage_key IS NOT NULL")
    op.create_index("ix_media_going", "media", ["removed_at"], postgresql_where=going)
    op.create_index("ix_media_storage_key", "media", ["storage_key"])
    op.add_column(
        "jobs",
        sa.Column("timeline_pruned", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    finished = sa.text("finished_at IS NOT NULL")
    op.create_index("ix_jobs_finished_at", "jobs", ["finished_at"], postgresql_where=finished)
    told = sa.text("finished_at IS NOT NULL AND NOT timeline_pruned")
    op.create_index("ix_jobs_timeline", "jobs", ["finished_at"], postgresql_where=told)
    op.create_index("ix_submissions_sent_at", "submissions", ["sent_at"])
    ended = sa.text("state <> 'pending'")
    op.create_index("ix_deliveries_ended", "deliveries", ["created_at"], postgresql_where=ended)
    op.create_index("ix_schedule_runs_created_at", "schedule_runs", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_deliveries_ended", table_name="deliveries")
    op.drop_index("ix_schedule_runs_created_at", table_name="schedule_runs")
    op.drop_index("ix_submissions_sent_at", table_name="submissions")
    op.drop_index("ix_jobs_timeline", table_name="jobs")
    op.drop_index("ix_jobs_finished_at", table_name="jobs")
    op.drop_column("jobs", "timeline_pruned")
    op.drop_index("ix_media_storage_key", table_name="media")
    op.drop_index("ix_media_going", table_name="media")
    op.drop_index("ix_media_used_at", table_name="media")
    op.drop_column("media", "removed_at")
    op.drop_column("media", "used_at")
