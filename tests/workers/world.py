"""A worker in this process, which works until a state is reached, and what its rows say then."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from local.sandbox.process import Admin
from shared.accounts import holds
from shared.config import Settings
from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.models import Account, AccountMedia, Event, Post, Profile
from tests.timing.patience import PATIENCE
from tests.workers import releases
from tests.workers.inline_tasks import Rounds, follow_wake_ups
from worker.accounts import server_turns
from worker.releasing.claims import Release
from worker.runtime import Runtime


@dataclass
class World:
    runtime: Runtime
    sandbox: Admin
    api_url: str

    @property
    def database(self) -> Database:
        return self.runtime.database

    @property
    def settings(self) -> Settings:
        return self.runtime.settings

    def claim_release(self) -> Release:
        """The one that is due, claimed by a worker that has not made its call yet."""
        deadline = time.monotonic() + 60
        while not (found := server_turns.find_releasable(self.runtime)[0]):  # its server has a pace
            assert time.monotonic() < deadline, self.describe()
            time.sleep(0.01)
        [turn] = found
        claimed = releases.claim_first(self.runtime, turn)
        assert claimed is not None
        return claimed

    def send_release(self, claimed: Release) -> None:
        releases.send(self.runtime, claimed)

    def work(self) -> None:
        """Run all wake-ups that are waiting, and those that they cause."""
        follow_wake_ups(self.runtime)

    def until(self, reached: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
        """Beat and work until it is so."""
        deadline = time.monotonic() + seconds
        with closing(Rounds(self.runtime)) as rounds:
            while not reached():
                assert time.monotonic() < deadline, self.describe()
                rounds.run_due()

    def until_all(self, state: PostState, ids: Sequence[int], *, seconds: float = PATIENCE) -> None:
        self.until(lambda: set(self.states(ids)) == {state}, seconds=seconds)

    def states(self, ids: Sequence[int]) -> list[PostState]:
        with self.database.transaction() as session:
            rows = session.execute(select(Post.id, Post.state).where(Post.id.in_(ids)))
            by_id = {row.id: PostState(row.state) for row in rows}
        return [by_id[each] for each in ids]

    def post(self, post_id: int) -> Post:
        with self.database.transaction() as session:
            return session.get_one(Post, post_id)

    def account(self, profile_id: str = "acme") -> Account:
        with self.database.transaction() as session:
            account_id = session.get_one(Profile, profile_id).account_id
            return session.get_one(Account, account_id)

    def timeline(self, post_id: int) -> list[str]:
        with self.database.transaction() as session:
            query = select(Event.event).where(Event.post_id == post_id).order_by(Event.id)
            return list(session.scalars(query))

    def upload_state(self, media_id: int) -> str | None:
        with self.database.transaction() as session:
            query = select(AccountMedia.state).where(AccountMedia.media_id == media_id)
            return session.scalar(query)

    def describe(self) -> str:
        """What a failed wait shows."""
        with self.database.transaction() as session:
            counts = session.execute(select(Post.state, func.count()).group_by(Post.state)).all()
            last = session.execute(
                select(Event.post_id, Event.event, Event.detail).order_by(Event.id.desc()).limit(15)
            ).all()
        return f"states: {counts}; last events: {last}; accounts' holds: {self._holds()}"

    def _holds(self) -> list[tuple[Any, ...]]:
        with self.database.transaction() as session:
            query = select(Account.id, Account.retry_at, Account.blocked_until)
            accounts = [tuple(row) for row in session.execute(query)]
            return [*accounts, *self._held(session)]

    def holds(self, profile_id: str = "acme") -> list[str]:
        """Why nothing may go out with the profile's key."""
        with self.database.transaction() as session:
            return [row[1] for row in self._held(session) if row[0] == profile_id]

    def _held(self, session: Session) -> list[tuple[str, str]]:
        return [(row.profile_id, row.reason) for row in holds.list_held(session)]
