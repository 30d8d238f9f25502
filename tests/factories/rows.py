"""Rows for tests of single writes: accounts, profiles and posts in any state, without a Postiz."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.models import Account, Event, Handover, Integration, Post, Profile, Submission
from shared.profiles.credential_ref import CredentialRef
from tests.factories.posts import add_posts

LONG_AGO = datetime.now(UTC) - timedelta(days=2)
#: Of these nothing is in Postiz, or nobody knows yet what.
WITHOUT_ID = (PostState.PENDING, PostState.STAGING, PostState.CANCELLED)
RELEASED = (PostState.RELEASING, PostState.SCHEDULED, PostState.PUBLISHED)
_numbers = itertools.count(1)


@dataclass
class Rows:
    """One account with one profile; what is made here belongs to them."""

    database: Database
    account_id: int = field(init=False)
    profile_id: str = field(init=False)
    server: str = field(init=False)
    key_hash: str = field(init=False)

    def __post_init__(self) -> None:
        number = next(_numbers)
        self.profile_id, self.key_hash = f"profile-{number}", f"hash-{number}"
        self.server = f"https://postiz-{number}.example"
        with self.database.transaction() as session:
            account = Account(
                server=self.server,
                base_url=f"{self.server}/public/v1",
                key_hash=self.key_hash,
                integrations_seen_at=LONG_AGO,
                budget_limit=90,
            )
            session.add(account)
            session.flush()
            self.account_id = account.id
            profile = Profile(
                id=self.profile_id,
                name="Profile",
                tts_settings={},
                account_id=account.id,
                key_hash=self.key_hash,
            )
            channel = Integration(
                account_id=account.id,
                id=f"int-{number}",
                server=self.server,
                name="Channel",
                identifier="mastodon",
            )
            session.add_all([profile, channel])

    def posts(self, state: PostState, count: int = 1, **values: Any) -> list[int]:
        """Posts in `state` with the rows that belong to it; their ids. Due since a minute."""
        due = datetime.now(UTC) - timedelta(minutes=1)
        with self.database.transaction() as session:
            call = Submission(
                account_id=self.account_id,
                profile_id=self.profile_id,
                server=self.server,
                marker_at=LONG_AGO + timedelta(milliseconds=next(_numbers)),
                elements=count,
                state="sending" if state is PostState.STAGING else "staged",
                sent_at=LONG_AGO,
                replied_at=LONG_AGO,
            )
            session.add(call)
            session.flush()
            known = {
                "integration_id": self.integration_id,
                "integration_identifier": "mastodon",
                "publish_at": due,
                "state": state,
                "submission_id": None if state is PostState.PENDING else call.id,
                "release_at": due if state is PostState.STAGED else None,
            }
            made = add_posts(
                session, self.profile_id, ["text"] * count, handoff="staged", **{**known, **values}
            )
            if state not in WITHOUT_ID:
                session.add_all(self._handover(post, call) for post in made)
            return [post.id for post in made]

    @property
    def credentials(self) -> CredentialRef:
        return CredentialRef(
            profile_id=self.profile_id,
            version=1,
            account_id=self.account_id,
            key_hash=self.key_hash,
        )

    @property
    def integration_id(self) -> str:
        return self.profile_id.replace("profile", "int")

    def _handover(self, post: Post, call: Submission) -> Handover:
        released = post.state in RELEASED
        return Handover(
            post_id=post.id,
            account_id=self.account_id,
            submission_id=call.id,
            postiz_id=f"postiz-{post.id}",
            marker_at=call.marker_at,
            state="releasing" if released else "staged",
            released_at=datetime.now(UTC) if released else None,
        )

    def post(self, post_id: int) -> Post:
        with self.database.transaction() as session:
            return session.get_one(Post, post_id)

    def handover(self, post_id: int) -> Handover:
        with self.database.transaction() as session:
            query = select(Handover).where(Handover.post_id == post_id)
            return session.scalars(query).one()

    def account(self) -> Account:
        with self.database.transaction() as session:
            return session.get_one(Account, self.account_id)

    def change_posts(self, ids: Sequence[int], **values: Any) -> None:
        with self.database.transaction() as session:
            session.execute(update(Post).where(Post.id.in_(ids)).values(values))

    def change_handover(self, post_id: int, **values: Any) -> None:
        with self.database.transaction() as session:
            session.execute(update(Handover).where(Handover.post_id == post_id).values(values))

    def change_account(self, **values: Any) -> None:
        with self.database.transaction() as session:
            of_it = update(Account).where(Account.id == self.account_id)
            session.execute(of_it.values(values))

    def timeline(self, post_id: int) -> list[tuple[str, str | None]]:
        with self.database.transaction() as session:
            query = select(Event.event, Event.detail).where(Event.post_id == post_id)
            return [(row.event, row.detail) for row in session.execute(query.order_by(Event.id))]
