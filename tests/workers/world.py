"""A small world for the worker's steps: real PostgreSQL and sandbox, tasks run in this process."""

import hashlib
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from local.sandbox.process import Admin
from shared.accounts import holds
from shared.config import Settings, read_settings
from shared.crypto import SecretBox
from shared.db import Database
from shared.domain.publishing.fingerprint import compute_fingerprint
from shared.domain.publishing.states import PostState
from shared.intake import job_creation
from shared.models import (
    Account,
    AccountMedia,
    Event,
    Job,
    Media,
    Post,
    Profile,
    Schedule,
    Submission,
)
from shared.net.outbound_route import Route
from shared.postiz import discovery
from shared.postiz.client import Postiz
from shared.postiz.payloads import Element
from shared.posts import cancel_retry
from shared.profiles import profile_settings
from shared.profiles.publisher_cache import PublisherFactory, Publishers
from shared.storage.base import key_of
from shared.storage.factory import open_storage
from shared.task_queue import PUBLISH, Waker
from tests.timing.patience import PATIENCE
from worker import sweep
from worker.accounts import organization_lookup, outage_probe, server_turns
from worker.bulkhead import Bulkhead
from worker.media import upload_turns
from worker.profiles import profile_deletion
from worker.publishing import cancel, reconcile, release, release_loop, track
from worker.runtime import Runtime
from worker.staging import orphan_drafts, stage
from worker.staging.submissions import free_marker
from worker.webhooks import deliver


def only_child() -> Bulkhead:
    return Bulkhead(1, Path(tempfile.gettempdir()) / f"pool-of-{os.getpid()}")


def release_due(runtime: Runtime, _: int = 0) -> None:
    release_loop.release_due_posts(runtime, only_child())


def upload_due(runtime: Runtime, _: int = 0) -> None:
    upload_turns.upload_in_turn(runtime, only_child())


STEPS: dict[str, Callable[[Runtime, int], None]] = {
    "pressroom.upload": upload_due,
    "pressroom.stage": stage.stage_posts,
    "pressroom.release": release_due,
    "pressroom.reconcile": reconcile.settle,
    "pressroom.track": track.track,
    "pressroom.cancel": cancel.cancel,
    "pressroom.litter": orphan_drafts.delete_orphans,
    "pressroom.meet": organization_lookup.look_up_organizations,
    "pressroom.probe": outage_probe.probe_account,
    "pressroom.remove": lambda runtime, _: profile_deletion.remove_profiles(runtime),
    "pressroom.deliver": lambda runtime, _: deliver.send_due_deliveries(runtime),
}


class InlineWaker(Waker):
    """Keeps wake-ups for `World.work`; a second one for the same work is dropped."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, int]] = deque()

    def messages(self, queue: str = PUBLISH) -> int:
        if queue != PUBLISH:
            return 0  # a second wake-up of the same kind is dropped
        return len(self.waiting)

    def wake(self, task: str, *args: Any, queue: str | None = None) -> bool:
        argument = args[0] if args else 0
        if (task, argument) not in self.waiting:
            self.waiting.append((task, argument))
        return True


def waiting_tasks(runtime: Runtime) -> deque[tuple[str, int]]:
    """The wake-ups that nobody has followed yet."""
    assert isinstance(runtime.waker, InlineWaker)
    return runtime.waker.waiting


def runtime_for(database_url: str, home: Path, **settings: Any) -> Runtime:
    """A worker's runtime with the short times of a test; `settings` by their environment names."""
    values = {
        "DATABASE_URL": database_url,
        "PRESSROOM_SECRET_KEYS": SECRET_KEY,
        "PRESSROOM_MEDIA_URL": f"file://{home}/media",
        "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
        "PRESSROOM_SETTLE_SECONDS": "0.5",
        "PRESSROOM_WRITES_PER_SECOND": "50",
        "PRESSROOM_CALL_TIMEOUT_SECONDS": "3",
        "PRESSROOM_UNKNOWN_RELEASE_SECONDS": "1",
        "PRESSROOM_ERROR_FINAL_SECONDS": "2",
    }
    read = read_settings({**values, **{name: str(value) for name, value in settings.items()}})
    database = Database.connect(read)
    factory = PublisherFactory(database, read, SecretBox.from_settings(read))
    return Runtime(
        settings=read,
        database=database,
        publishers=Publishers(factory),
        storage=open_storage(read.media_url),
        waker=InlineWaker(),
    )


KEY = "key-of-acme"
OTHER = "key-of-other"  #: of another organization
CHANNELS: list[dict[str, Any]] = [
    {"id": "int-mastodon", "name": "Masto Chan", "identifier": "mastodon"},
    {"id": "int-x", "name": "X Chan", "identifier": "x"},
    {"id": "int-tired", "name": "Tired Chan", "identifier": "mastodon", "refresh_needed": True},
]
SECRET_KEY = Fernet.generate_key().decode()


def a_schedule(media_ids: list[int]) -> Schedule:
    """Of `acme`, daily, not yet due."""
    return Schedule(
        profile_id="acme",
        name="daily",
        cron="0 9 * * *",
        timezone="UTC",
        kind="playlist",
        body={},
        items=len(media_ids),
        media_ids=media_ids,
        misfire_grace_seconds=3600,
    )


@dataclass
class World:
    runtime: Runtime
    sandbox: Admin
    api_url: str
    work_log: list[tuple[str, int]] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.runtime.database

    @property
    def settings(self) -> Settings:
        return self.runtime.settings

    def profile(self, profile_id: str = "acme", *, key: str, api_url: str | None = None) -> str:
        """A profile with these credentials, as PATCH would save them."""
        with self.database.transaction() as session:
            if session.get(Profile, profile_id) is None:
                session.add(Profile(id=profile_id, name=profile_id, tts_settings={}))
        self.save_key(profile_id, key=key, api_url=api_url)
        return profile_id

    def save_key(self, profile_id: str, *, key: str, api_url: str | None = None) -> None:
        url = api_url or self.api_url
        box = SecretBox.from_settings(self.settings)
        probe = discovery.probe_postiz(url, key, self.settings)
        with self.database.transaction() as session:
            profile = profile_settings.load_profile(session, profile_id, lock=True)
            postiz = {"postiz": {"api_url": url, "api_key": key}}
            profile_settings.save_settings(session, profile, postiz, box)
            credentials = profile_settings.credentials_of(profile, self.settings, box)
            profile_settings.connect_account(session, profile, credentials, probe)
        self.runtime.publishers.reset(profile_id)

    def lose_secret_key(self, profile_id: str) -> str:
        """The key that sealed the profile's credentials is gone: it is returned."""
        lost = Fernet.generate_key().decode()
        with self.database.transaction() as session:
            profile = profile_settings.load_profile(session, profile_id, lock=True)
            own = profile.tts_settings["postiz"]
            known = SecretBox.from_settings(self.settings).open(own["api_key"])
            sealed = SecretBox([lost]).seal(known)
            profile.tts_settings = {"postiz": {**own, "api_key": sealed}}
            profile_settings.bump_version(profile)
        self.runtime.publishers.reset(profile_id)
        return lost

    def job(
        self,
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
        with self.database.transaction() as session:
            profile = session.get_one(Profile, profile_id)
            job = Job(kind="publish", profile_id=profile_id, handoff=handoff, total=len(contents))
            session.add(job)
            session.flush()
            rows = [
                Post(
                    job_id=job.id,
                    position=position,
                    profile_id=profile_id,
                    account_id=profile.account_id,
                    integration_id=integration,
                    integration_identifier=identifier,
                    integration_name=None,
                    content=content,
                    media_ids=list(media_ids),
                    settings=settings or {},
                    publish_at=at,
                    handoff=handoff,
                    as_draft=as_draft,
                )
                for position, content in enumerate(contents)
            ]
            session.add_all(rows)
            session.flush()
            return [row.id for row in rows]

    def stray_draft(self, content: str = "stray", profile_id: str = "acme") -> datetime:
        """What a call of unknown end left in Postiz, which is litter; its date there."""
        box = SecretBox.from_settings(self.settings)
        second = datetime.now(UTC).replace(microsecond=0)
        with self.database.transaction() as session:
            profile = session.get_one(Profile, profile_id)
            account = session.get_one(Account, profile.account_id)
            call = Submission(
                account_id=account.id,
                profile_id=profile_id,
                server=account.server,
                marker_at=free_marker(session, account.id, second),
                elements=1,
                state="abandoned",
                sent=[compute_fingerprint("int-mastodon", content)],
                litter_at=func.now(),
            )
            session.add(call)
            session.flush()
        key = profile_settings.require_credentials(profile, self.settings, box)
        assert account.base_url is not None
        route = Route.from_settings(self.settings)
        element = Element(integration_id="int-mastodon", content=content, settings={})
        postiz = Postiz(base_url=account.base_url, api_key=key.api_key, route=route)
        postiz.stage(call.marker_at, [element])
        return call.marker_at

    def due_now(self, ids: Sequence[int]) -> None:
        """What was staged for later is to be released at once."""
        with self.database.transaction() as session:
            now = {"release_at": func.now(), "publish_at": func.now()}
            session.execute(update(Post).where(Post.id.in_(ids)).values(now))

    def cancel(self, ids: Sequence[int]) -> None:
        with self.database.transaction() as session:
            cancel_retry.cancel_posts(session, ids)

    def medium(self, profile_id: str, content: bytes, *, mime: str = "image/png") -> int:
        """A stored file and the row that asks for its upload; the medium's id."""
        sha256 = hashlib.sha256(content).hexdigest()
        key = key_of(profile_id, sha256)
        with self.runtime.storage.receive() as incoming:
            incoming.write(content)
            incoming.finish()
            incoming.keep(key)
        with self.database.transaction() as session:
            account = session.get_one(Profile, profile_id).account_id
            assert account is not None
            medium = Media(
                profile_id=profile_id,
                sha256=sha256,
                size=len(content),
                mime=mime,
                storage_key=key,
            )
            session.add(medium)
            session.flush()
            job_creation.accept_uploads(
                session,
                profile_id,
                session.get_one(Account, account),
                [job_creation.Upload(media_id=medium.id)],
                kind="upload",
            )
            return medium.id

    def claim_release(self) -> release.Release:
        """The one that is due, claimed by a worker that has not made its call yet."""
        deadline = time.monotonic() + 60
        while not (found := server_turns.find_releasable(self.runtime)[0]):  # its server has a pace
            assert time.monotonic() < deadline, self.describe()
            time.sleep(0.01)
        [turn] = found
        claimed = release._claim_next_post(self.runtime, turn)
        assert isinstance(claimed, release.Release)
        return claimed

    def work(self) -> None:
        """Run all wake-ups that are waiting, and those that they cause."""
        waiting = waiting_tasks(self.runtime)
        while waiting:
            task, argument = waiting.popleft()
            self.work_log.append((task, argument))
            STEPS[task](self.runtime, argument)

    def until(self, reached: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
        """Beat and work until it is so."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, self.describe()
            sweep.run_sweep(self.runtime)
            sweep.run_tick(self.runtime)
            self.work()
            time.sleep(0.05)

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
