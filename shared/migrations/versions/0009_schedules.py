"""Schedules, and what became of their fire times"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _now(name: str) -> sa.Column[Any]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("profile_id", sa.String(64), nullable=False),
        _text("name"),
        _text("cron"),
        _text("timezone"),
        _text("kind"),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("media_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _flag("ended"),
        sa.Column("misfire_grace_seconds", sa.Integer(), nullable=False),
        _moment("next_fire_at"),
        _now("created_at"),
        _now("updated_at"),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name="fk_schedules_profile_id"),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
    )
    op.create_index("ix_schedules_profile_id", "schedules", ["profile_id"])
    op.create_index(
        "ix_schedules_next_fire_at",
        "schedules",
        ["next_fire_at"],
        postgresql_where=sa.text("next_fire_at IS NOT NULL"),
    )
    op.create_table(
        "schedule_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("schedule_id", sa.BigInteger(), nullable=False),
        _moment("fire_at", nullable=False),
        _text("state"),
        _flag("by_hand"),
        sa.Column("fire_times", sa.Integer(), nullable=True),
        _moment("until"),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        _text("error_code", nullable=True),
        _text("error_message", nullable=True),
        _now("created_at"),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            name="fk_schedule_runs_schedule_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_schedule_runs_job_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_schedule_runs"),
        sa.UniqueConstraint("schedule_id", "fire_at", name="uq_schedule_runs_schedule_id_fire_at"),
    )
    op.create_index("ix_schedule_runs_job_id", "schedule_runs", ["job_id"])
    op.create_index("ix_schedule_runs_schedule_id_id", "schedule_runs", ["schedule_id", "id"])


def downgrade() -> None:
    op.drop_table("schedule_runs")
    op.drop_table("schedules")
