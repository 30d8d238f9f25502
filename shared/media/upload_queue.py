"""Which media an account needs in its Postiz: each row is the job of uploading one."""

from collections.abc import Collection, Iterable
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.errors import Unprocessable
from shared.models import AccountMedia, Media
from shared.postiz.payloads import RemoteMedia


def request_uploads(
    session: Session, media_ids: Collection[int], profile_id: str, account_id: int
) -> list[AccountMedia]:
    """Rows for `media_ids`, in their order; an upload that failed before is tried again.

    Raises `Unprocessable` for removed media. Until we commit, none of these media can be removed.
    """
    if not media_ids:
        return []
    mark_used(session, media_ids)
    pending = {"state": "pending", "attempts": 0, "next_at": func.now(), "profile_id": profile_id}
    ordered = sorted(set(media_ids))  # in a fixed order, so that two requests cannot deadlock
    session.execute(
        insert(AccountMedia)
        .values([{**pending, "media_id": each, "account_id": account_id} for each in ordered])
        .on_conflict_do_update(
            index_elements=["media_id", "account_id"],
            set_=pending,
            where=AccountMedia.state == "failed",
        )
    )
    found = session.scalars(
        select(AccountMedia)
        .where(AccountMedia.account_id == account_id, AccountMedia.media_id.in_(media_ids))
        .execution_options(populate_existing=True)
    )
    rows = {row.media_id: row for row in found}
    return [rows[media_id] for media_id in media_ids]


def read_remote_media(
    session: Session, account_id: int, media_ids: Iterable[int], *conditions: ColumnElement[bool]
) -> dict[int, RemoteMedia]:
    """By medium, what a post names to show it; of one that is not uploaded, empty strings."""
    columns = AccountMedia.media_id, AccountMedia.postiz_id, AccountMedia.postiz_path
    query = select(*columns).where(
        AccountMedia.account_id == account_id, AccountMedia.media_id.in_(media_ids), *conditions
    )
    return {
        media_id: RemoteMedia(id=postiz_id or "", path=postiz_path or "")
        for media_id, postiz_id, postiz_path in session.execute(query)
    }


def mark_used(session: Session, media_ids: Collection[int]) -> None:
    """Record, at most once an hour, that these media are needed; none is removed until we commit.

    Raises `Unprocessable` for media that were removed before.
    """
    # in a fixed order, so that no two requests can deadlock
    media_query = select(Media.id).where(Media.id.in_(media_ids)).order_by(Media.id)
    stale = Media.used_at < func.now() - timedelta(hours=1)
    stale_ids = session.scalars(media_query.where(stale).with_for_update(key_share=True)).all()
    session.execute(update(Media).where(Media.id.in_(stale_ids)).values(used_at=func.now()))
    present = media_query.where(Media.removed_at.is_(None)).with_for_update(
        read=True, key_share=True
    )
    gone = set(media_ids) - set(session.scalars(present))
    if gone:
        listed = ", ".join(str(each) for each in sorted(gone))
        raise Unprocessable(f"These media were removed, upload them again: {listed}")
