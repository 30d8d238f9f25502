"""Waits: posts that wait for a pause to end, a medium or a channel cost nothing to what is due"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TIMED = "publish_at - created_at > interval '1 minute'"
Indexes = Mapping[str, tuple[Sequence[str], str]]
OLD: Indexes = {
    "ix_posts_pending": (["account_id", "publish_at"], "state = 'pending'"),
    "ix_posts_pending_profile": (["profile_id", "account_id", "publish_at"], "state = 'pending'"),
    "ix_posts_pending_timed": (["account_id", "publish_at"], f"state = 'pending' AND {TIMED}"),
    "ix_posts_staged": (["profile_id", "account_id", "release_at"], "state = 'staged'"),
    "ix_posts_staged_timed": (
        ["profile_id", "account_id", "publish_at"],
        f"state = 'staged' AND {TIMED}",
    ),
}
NEW: Indexes = {
    "ix_posts_pending": (["account_id", "waits_for", "publish_at"], "state = 'pending'"),
    "ix_posts_pending_profile": (
        ["profile_id", "account_id", "waits_for", "publish_at"],
        "state = 'pending'",
    ),
    "ix_posts_pending_timed": (
        ["profile_id", "account_id", "publish_at"],
        f"state = 'pending' AND waits_for = '' AND {TIMED}",
    ),
    "ix_posts_staged": (["profile_id", "account_id", "waits_for", "release_at"], "state = 'staged'"),
    "ix_posts_staged_timed": (
        ["profile_id", "account_id", "publish_at"],
        f"state = 'staged' AND waits_for = '' AND {TIMED}",
    ),
    "ix_posts_waits_for": (["waits_for"], "waits_for <> ''"),
    "ix_posts_aside": (["aside_until"], "waits_for <> ''"),
    "ix_posts_unchecked": (
        ["account_id", "publish_at"],
        "state = 'pending' AND integration_identifier IS NULL",
    ),
}


def upgrade() -> None:
    op.add_column("posts", sa.Column("waits_for", sa.Text(), server_default="", nullable=False))
    op.add_column("posts", sa.Column("aside_until", sa.DateTime(timezone=True), nullable=True))
    _replace(OLD, NEW)


def downgrade() -> None:
    _replace(NEW, OLD)
    for name in ("aside_until", "waits_for"):
        op.drop_column("posts", name)


def _replace(old: Indexes, new: Indexes) -> None:
    for name in old:
        op.drop_index(name, "posts")
    for name, (columns, where) in new.items():
        op.create_index(name, "posts", list(columns), postgresql_where=sa.text(where))
