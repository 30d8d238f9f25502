"""People who change their minds: they take back, retry, pause, and point profiles elsewhere."""

import random
import time
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError

from shared.domain.publishing.reconciliation import OVERDUE
from shared.domain.publishing.states import DONE, PostState
from shared.models import Job, Post, Profile
from tests.chaos.arena import Arena
from tests.chaos.cast import Member
from tests.chaos.client import Client
from tests.chaos.diary import Diary, origin
from tests.chaos.people import TIMETABLE, People

#: What the diary calls things that the audit asks for.
TAKEN_BACK, WORD_GIVEN = "cancelled at once", "retried on somebody's word"
PAUSED, RESUMED = "pause", "resume"
ELSEWHERE = "pointed elsewhere"
OPEN = [*(state for state in PostState if state not in DONE), PostState.SCHEDULED]
#: How an answer to a cancel is noted, by the state that it told.
_CANCELS: dict[str | None, str] = {
    PostState.CANCELLED: TAKEN_BACK,
    PostState.CANCELLING: "cancelling",
}


class Minds:
    def __init__(
        self,
        arena: Arena,
        client: Client,
        people: People,
        cast: Sequence[Member],
        diary: Diary,
    ) -> None:
        self._arena = arena
        self._client = client
        self._people = people
        self._cast = {member.profile: member for member in cast}
        self._diary = diary

    # taking back, and having tried again

    def cancel_post(self, rng: random.Random) -> None:
        for post in self.pick(rng, OPEN):
            answer = self._client.ask("POST", f"/posts/{post.id}/cancel")
            if answer is not None:
                state = answer.json().get("state") if answer.ok else None
                self._diary.note(_CANCELS.get(state, "too late to cancel"), origin(post.content))

    def cancel_job(self, rng: random.Random) -> None:
        for post in self.pick(rng, OPEN):
            answer = self._client.ask("POST", f"/jobs/{post.job_id}/cancel")
            if answer is not None:
                self._diary.note("job cancelled", str(post.job_id))

    def retry_post(self, rng: random.Random) -> None:
        """Without a word: only what was never released may be tried again."""
        for post in self.pick(rng, [PostState.FAILED]):
            answer = self._client.ask("POST", f"/posts/{post.id}/retry")
            if answer is not None:
                self._diary.note("retried" if answer.ok else "retry refused", origin(post.content))

    def retry_on_word(self, rng: random.Random) -> None:
        """On a word that may be false: a second send of such a post is not ours."""
        for post in self.pick(rng, [PostState.FAILED]):
            self._diary.note(WORD_GIVEN, origin(post.content))
            word = {"confirm_not_published": True}
            self._client.ask("POST", f"/posts/{post.id}/retry", json=word)

    def end_overdue(self, rng: random.Random) -> None:
        """What Postiz has waiting past its time: cancelled, or tried again on somebody's word."""
        for post in self.pick(rng, [PostState.SCHEDULED], Post.error_code == OVERDUE):
            self._diary.note("overdue, and a person decides")
            if rng.random() < 0.5:
                self._client.ask("POST", f"/posts/{post.id}/cancel")
                continue
            self._diary.note(WORD_GIVEN, origin(post.content))
            word = {"confirm_not_published": True}
            self._client.ask("POST", f"/posts/{post.id}/retry", json=word)

    def pick(
        self, rng: random.Random, states: Sequence[PostState], *more: ColumnElement[bool]
    ) -> list[Post]:
        with suppress(SQLAlchemyError), self._arena.database.transaction() as session:
            unique = Post.content.not_like(f"{TIMETABLE}%")
            query = (
                select(Post).where(Post.state.in_(states), unique, *more).order_by(func.random())
            )
            found = list(session.scalars(query.limit(20)))
            return rng.sample(found, min(1, len(found)))
        return []

    # pausing and resuming

    def pause_job(self, rng: random.Random) -> None:
        with suppress(SQLAlchemyError), self._arena.database.transaction() as session:
            query = select(Job.id).where(Job.kind == "bulk_publish", Job.finished_at.is_(None))
            jobs = session.scalars(query.order_by(func.random()).limit(1)).all()
        for job in jobs:
            self._pause(rng, "jobs", str(job))

    def pause_profile(self, rng: random.Random) -> None:
        self._pause(rng, "profiles", rng.choice(list(self._cast)))

    def pause_account(self, rng: random.Random) -> None:
        with suppress(SQLAlchemyError), self._arena.database.transaction() as session:
            accounts = session.scalars(select(Profile.account_id).distinct()).all()
            self._pause(rng, "accounts", str(rng.choice(accounts)))

    def _pause(self, rng: random.Random, what: str, name: str) -> None:
        """For some seconds. What is paused twice at a time ends with the first resume.

        One whose answer was lost may be in force: it is resumed like the others. An account is not
        shown while its only profile is pointed elsewhere; a job that has ended cannot be resumed.
        """
        answer = self._client.ask("POST", f"/{what}/{name}/pause")
        if answer is not None and answer.ok:
            self._diary.note(PAUSED, f"{what}/{name}")
            time.sleep(rng.uniform(2, 6))
        self._diary.note(RESUMED, f"{what}/{name}")
        while (answer := self._client.ask("POST", f"/{what}/{name}/resume")) is None or (
            answer.status_code == 404
        ):
            time.sleep(1)

    # a profile that is pointed at another organization, and back

    def detour(self, rng: random.Random) -> None:
        """In the middle of a release, if there is one."""
        releasing = self.pick(rng, [PostState.RELEASING, PostState.STAGED])
        name = releasing[0].profile_id if releasing else rng.choice(list(self._cast))
        member = self._cast[name]
        with member.lock:
            if self._people.save_key(member, member.next_detour()):
                self._diary.note(ELSEWHERE, name)
                time.sleep(rng.uniform(2, 6))
            while not self._people.save_key(member, member.next_key()):
                time.sleep(1)
