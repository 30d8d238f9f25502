"""Posts of a job, and what a person asks of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from shared.models import Job, Post, Profile
from shared.posts import cancel_retry
from tests.workers.world import World


def make_refused_posts(world: World, contents: Sequence[str]) -> list[int]:
    """Pending posts of a channel whose network refuses everything."""
    connected = {"int-tired": {"refresh_needed": False}}
    world.sandbox.patch_org("acme", integrations=connected)
    world.sandbox.add_fault("publish_error", integration="int-tired")
    return make_posts(world, "acme", contents, integration="int-tired")


def make_posts(
    world: World,
    profile_id: str,
    contents: Sequence[str],
    *,
    integration: str = "int-mastodon",
    identifier: str | None = "mastodon",
    in_seconds: float = 0,
    handoff: str = "staged",
    media_ids: Sequence[int] = (),
    settings: dict[str, Any] | None = None,
    as_draft: bool = False,
) -> list[int]:
    """Pending posts, one per content; their ids."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=in_seconds)
    with world.database.transaction() as session:
        posts = add_posts(
            session,
            profile_id,
            contents,
            handoff=handoff,
            integration_id=integration,
            integration_identifier=identifier,
            media_ids=list(media_ids),
            settings=settings or {},
            publish_at=at,
            as_draft=as_draft,
        )
        return [post.id for post in posts]


def add_posts(
    session: Session, profile_id: str, contents: Sequence[str], *, handoff: str, **values: Any
) -> list[Post]:
    """A job with a post for each content; `values` of their other columns."""
    profile = session.get_one(Profile, profile_id)
    job = Job(kind="publish", profile_id=profile_id, handoff=handoff, total=len(contents))
    session.add(job)
    session.flush()
    known = {
        "job_id": job.id,
        "profile_id": profile_id,
        "account_id": profile.account_id,
        "handoff": handoff,
    }
    posts = [
        Post(**{**known, "position": position, "content": content, **values})
        for position, content in enumerate(contents)
    ]
    session.add_all(posts)
    session.flush()
    return posts


def make_due(world: World, ids: Sequence[int]) -> None:
    """What was staged for later is to be released at once."""
    with world.database.transaction() as session:
        now = {"release_at": func.now(), "publish_at": func.now()}
        session.execute(update(Post).where(Post.id.in_(ids)).values(now))


def request_cancel(world: World, ids: Sequence[int]) -> None:
    with world.database.transaction() as session:
        cancel_retry.cancel_posts(session, ids)


def request_retry(world: World, post_id: int, *, confirmed: bool = False) -> None:
    with world.database.transaction() as session:
        cancel_retry.retry_post(session, session.get_one(Post, post_id), confirmed=confirmed)
