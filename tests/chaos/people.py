"""What people do meanwhile: rotate keys, mend held accounts, edit posts in Postiz."""

import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute

from shared.accounts import holds
from shared.domain.publishing.states import PostState
from shared.models import Post, Profile
from shared.postiz.payloads import format_time
from tests.chaos.arena import Arena
from tests.chaos.cast import Member, is_limited
from tests.chaos.client import Client, NeverAnswered
from tests.chaos.diary import Diary, origin

#: What a teammate adds to the content of a draft.
EDITED = " (edited)"
#: How the content of what schedules publish begins: it says the same each time.
TIMETABLE = "schedule"
TimeColumn = InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]


class People:
    def __init__(self, arena: Arena, client: Client, cast: Sequence[Member], diary: Diary) -> None:
        self._arena = arena
        self._client = client
        self._cast = {member.profile: member for member in cast}
        self._diary = diary

    def arrive(self) -> None:
        """Create the profiles, each with its first key."""
        for member in self._cast.values():
            settings = {"postiz": {"api_url": self._arena.postiz_url, "api_key": member.keys[0]}}
            body = {"id": member.profile, "name": member.profile, "tts_settings": settings}
            self._client.insist("POST", "/profiles", once=member.profile, json=body)
            member.saved.append((member.keys[0], time.time()))

    def rotate(self, rng: random.Random) -> None:
        self.rotate_key(rng.choice(list(self._cast.values())))

    def rotate_key(self, member: Member) -> None:
        """PATCH the next key, until it is answered: from then on it is the only one."""
        with member.lock:
            if self.save_key(member, member.next_key()):
                self._diary.note("rotation")

    def save_key(self, member: Member, key: str) -> bool:
        """Whether it was saved; from then on it is the only one that may be used."""
        postiz = {"api_url": self._arena.postiz_url, "api_key": key}
        body = {"tts_settings": {"postiz": postiz}}
        try:
            self._client.insist("PATCH", f"/profiles/{member.profile}", json=body)
        except NeverAnswered as refusal:
            self._diary.note("rotation refused", str(refusal)[:120])
            return False
        if key != member.saved[-1][0]:
            member.saved.append((key, time.time()))
        return True

    def mend(self) -> None:
        """Whose key Postiz refused saves another, as the account's page asks for."""
        with suppress(SQLAlchemyError):
            with self._arena.database.transaction() as session:
                held = session.scalars(select(Profile.id).where(holds.is_held())).all()
            for profile in held:
                if not self._cast[profile].lock.locked():  # else somebody is at it
                    self.rotate_key(self._cast[profile])
                    self._diary.note("mended")

    def delete_draft(self, rng: random.Random) -> None:
        self._edit(rng, "draft deleted", Post.state == PostState.STAGED, Post.release_at)

    def delete_scheduled(self, rng: random.Random) -> None:
        self._edit(rng, "scheduled deleted", Post.state == PostState.SCHEDULED, Post.publish_at)

    def edit_draft(self, rng: random.Random) -> None:
        self._edit(rng, "edited", Post.state == PostState.STAGED, Post.release_at)

    def move_scheduled(self, rng: random.Random) -> None:
        self._edit(rng, "moved", Post.state == PostState.SCHEDULED, Post.publish_at)

    def _edit(
        self, rng: random.Random, what: str, state: ColumnElement[bool], time_column: TimeColumn
    ) -> None:
        """Of a post that is some seconds away from its time, in an organization without limit."""
        soon = func.now() + timedelta(seconds=4)
        with suppress(SQLAlchemyError, requests.RequestException):
            with self._arena.database.transaction() as session:
                ours = Post.content.not_like(f"{TIMETABLE}%")
                query = select(Post).where(state, time_column > soon, ours)
                posts = [
                    post
                    for post in session.scalars(query.limit(200))
                    if not is_limited(self._cast[post.profile_id].org)
                ]
            if posts:
                self._do(what, rng.choice(posts))

    def _do(self, what: str, post: Post) -> None:
        self._diary.note(
            what, origin(post.content)
        )  # before: an answer that is lost changes nothing
        key = {"Authorization": self._cast[post.profile_id].teammate_key}
        url = f"{self._arena.api_url}/posts"
        if what not in ("moved", "edited"):
            requests.delete(f"{url}/{post.postiz_post_id}", headers=key, timeout=20)
        else:
            content = post.content + (EDITED if what == "edited" else "")
            value: dict[str, Any] = {"id": post.postiz_post_id, "content": content, "image": []}
            element = {
                "integration": {"id": post.integration_id},
                "settings": {},
                "value": [value],
            }
            date = format_time(
                datetime.now(UTC) + timedelta(seconds=8 if what == "moved" else -3600)
            )
            body = {"type": "update", "date": date, "shortLink": False, "tags": []}
            requests.post(url, headers=key, json={**body, "posts": [element]}, timeout=20)


class Mender(threading.Thread):
    """Looks for held accounts every two seconds, to the end of the run."""

    def __init__(self, people: People) -> None:
        super().__init__(daemon=True)
        self._people = people
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(2):
            self._people.mend()

    def stop(self) -> None:
        self._over.set()
        self.join()
