"""People: users, sessions, links that work once; answers are kept for a caller, key or user

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
TIME = sa.DateTime(timezone=True)


def flag(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)


def now(name: str) -> "sa.Column[object]":
    return sa.Column(name, TIME, server_default=NOW, nullable=False)


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("profile_ids", ARRAY(sa.Text()), nullable=True),
        flag("disabled"),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("oidc_subject", sa.Text(), nullable=True),
        sa.Column("totp_secret", sa.Text(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recovery_hashes", ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        now("next_attempt_at"),
        sa.Column("last_signed_in_at", TIME, nullable=True),
        now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.UniqueConstraint("oidc_subject", name="uq_users_oidc_subject"),
        sa.CheckConstraint("email = lower(email)", name="ck_users_email"),
        sa.CheckConstraint(
            "role IN ('viewer', 'publisher', 'manager', 'admin')", name="ck_users_role"
        ),
    )
    op.create_table(
        "user_sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        flag("second_factor"),
        now("created_at"),
        now("last_used_at"),
        sa.Column("ends_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_user_sessions"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_user_sessions_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_user_sessions_user_id", "user_sessions", ["user_id"])
    op.create_table(
        "one_time_links",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("valid_until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_one_time_links"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_one_time_links_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_one_time_links_user_id", "one_time_links", ["user_id"])
    op.add_column("idempotency_keys", sa.Column("caller", sa.Text(), nullable=True))
    op.execute("UPDATE idempotency_keys SET caller = 'key ' || api_key_id")
    op.drop_column("idempotency_keys", "api_key_id")  # and the primary key with it
    op.create_primary_key("pk_idempotency_keys", "idempotency_keys", ["caller", "key"])


def downgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("api_key_id", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE idempotency_keys SET api_key_id = api_keys.id FROM api_keys"
        " WHERE caller = 'key ' || api_keys.id"
    )
    op.execute("DELETE FROM idempotency_keys WHERE api_key_id IS NULL")
    op.drop_column("idempotency_keys", "caller")
    op.create_primary_key("pk_idempotency_keys", "idempotency_keys", ["api_key_id", "key"])
    op.create_foreign_key(
        "fk_idempotency_keys_api_key_id",
        "idempotency_keys",
        "api_keys",
        ["api_key_id"],
        ["id"],
        ondelete="CASCADE",
    )
    for table in ("one_time_links", "user_sessions", "users"):
        op.drop_table(table)
