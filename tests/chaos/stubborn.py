"""Stubborn posts: drafts that Postiz never deletes or never moves, and releases that die midway."""

import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from shared.domain.publishing.states import PostState
from shared.models import Post
from tests.chaos.arena import Arena
from tests.chaos.cast import Member, is_limited
from tests.chaos.client import Client
from tests.chaos.diary import Diary, origin
from tests.chaos.people import TIMETABLE

#: What the diary calls them; each is about one post, named by its content.
UNDELETABLE, UNMOVABLE, KILLED = "undeletable", "unmovable", "killed in its release"
DELETE, CREATE, RELEASE = "DELETE /posts/:id", "POST /posts", "PUT /posts/:id/status"
#: A release that ends like this leaves a draft that has to be parked, seen and deleted.
UNCLEAR = ("reply_lost_before", "hang", "error_500_before")


def stubborn(diary: Diary) -> frozenset[str]:
    """The contents of drafts that Postiz did not delete, or did not move."""
    return frozenset([*diary.details(UNDELETABLE), *diary.details(UNMOVABLE)])


class Stubborn:
    def __init__(self, arena: Arena, client: Client, cast: Sequence[Member], diary: Diary) -> None:
        self._arena = arena
        self._client = client
        self._cast = {member.profile: member for member in cast}
        self._diary = diary

    def undeletable(self, rng: random.Random) -> None:
        """Its release ends unclear, and the draft cannot be deleted after it was parked."""
        for post in self._staged(rng):
            self._diary.note(UNDELETABLE, origin(post.content))
            self._add("error_500_before", DELETE, post)
            self._add(rng.choice(UNCLEAR), RELEASE, post, times=1)

    def undeletable_when_cancelled(self, rng: random.Random) -> None:
        """A person takes back a post whose draft cannot be deleted."""
        for post in self._staged(rng):
            self._diary.note(UNDELETABLE, origin(post.content))
            self._add("error_500_before", DELETE, post)
            self._client.ask("POST", f"/posts/{post.id}/cancel")

    def unmovable(self, rng: random.Random) -> None:
        """Its release ends unclear, and its network's rules refuse the move to 2099."""
        for post in self._staged(rng):
            self._diary.note(UNMOVABLE, origin(post.content))
            self._add("refused_by_network", CREATE, post, type="update")
            self._add(rng.choice(UNCLEAR), RELEASE, post, times=1)

    def killed(self, rng: random.Random) -> None:
        """Postiz dies in the middle of its release: in its queue for ever, and never sent."""
        for post in self._staged(rng):
            self._diary.note(KILLED, origin(post.content))
            self._add("killed_in_release", RELEASE, post, times=1)

    def _staged(self, rng: random.Random) -> list[Post]:
        """One that is a second or more away from its release."""
        soon = func.now() + timedelta(seconds=1)
        with suppress(SQLAlchemyError), self._arena.database.transaction() as session:
            query = select(Post).where(
                Post.state == PostState.STAGED,
                Post.release_at > soon,
                Post.content.not_like(f"{TIMETABLE}%"),
            )
            found = [
                post
                for post in session.scalars(query.order_by(Post.release_at).limit(200))
                if not is_limited(self._cast[post.profile_id].org)
            ]
            return rng.sample(found, min(1, len(found)))
        return []

    def _add(
        self, kind: str, route: str, post: Post, *, times: int | None = None, **more: str
    ) -> None:
        org = self._cast[post.profile_id].org
        args: dict[str, Any] = {"contains": post.content, **more}
        self._arena.sandbox.add_fault(kind, route=route, times=times, org=org, **args)
