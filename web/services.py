"""The services of a web process: made once, after the fork, and used by the views."""

from dataclasses import dataclass
from functools import partial
from typing import Self, cast

import redis
from flask import current_app

from shared import metrics, task_queue
from shared.accounts.known_lists import KnownLists
from shared.config import Settings
from shared.crypto import SecretBox
from shared.db import Database
from shared.people.openid_provider import OpenIdProvider
from shared.profiles import invalidation
from shared.profiles.invalidation import Effect, Listener
from shared.profiles.publisher_cache import PublisherFactory, Publishers
from shared.storage.base import Storage
from shared.storage.factory import open_storage
from shared.uploads.process_lock import ProcessLock
from web import concurrency_limits as limits
from web.bounded_calls import BoundedCalls
from web.concurrency_limits import ConcurrencyLimit
from web.rate_limits import RateLimits

#: As many as a worker has threads besides those for uploads and streams, which use a connection
#: only for moments.
POOL_SIZE = 8
_EXTENSION = "pressroom"


@dataclass(frozen=True, kw_only=True)
class Services:
    settings: Settings
    database: Database
    box: SecretBox
    storage: Storage
    broker: redis.Redis
    waker: task_queue.Waker
    publishers: Publishers
    listener: Listener
    calls: BoundedCalls
    known_lists: KnownLists
    rates: RateLimits
    process_lock: ProcessLock
    uploads: ConcurrencyLimit
    streams: ConcurrencyLimit
    downloads: ConcurrencyLimit
    drains: ConcurrencyLimit
    sign_ins: ConcurrencyLimit
    openid_calls: ConcurrencyLimit
    feeds: ConcurrencyLimit
    openid: OpenIdProvider | None

    @classmethod
    def start(cls, settings: Settings) -> Self:
        metrics.use_folder(settings.metrics_dir)
        redis_url = settings.redis_url.get_secret_value()
        database = Database.connect(settings, pool_size=POOL_SIZE)
        box = SecretBox.from_settings(settings)
        publishers = Publishers(PublisherFactory(database, settings, box))
        known_lists = KnownLists()
        return cls(
            settings=settings,
            database=database,
            box=box,
            storage=open_storage(settings.media_url),
            broker=invalidation.connect_broker(redis_url),
            waker=task_queue.Waker(task_queue.make_sender(redis_url)),
            publishers=publishers,
            listener=Listener(
                redis_url, partial(_forget_settings, publishers, known_lists)
            ).start(),
            calls=_bounded_calls(settings),
            known_lists=known_lists,
            rates=RateLimits(settings),
            process_lock=ProcessLock(database.engine),
            uploads=ConcurrencyLimit(
                limits.UPLOADS, "uploads", retry_after=5, each=settings.uploads_per_key
            ),
            streams=ConcurrencyLimit(
                limits.STREAMS, "event streams", retry_after=10, each=settings.streams_per_key
            ),
            downloads=ConcurrencyLimit(
                limits.DOWNLOADS, "downloads", retry_after=2, each=settings.downloads_per_key
            ),
            drains=ConcurrencyLimit(limits.DRAINS, "refused bodies", retry_after=1),
            sign_ins=ConcurrencyLimit(limits.SIGN_INS, "sign-ins", retry_after=1),
            openid_calls=_openid_limit(),
            feeds=ConcurrencyLimit(limits.FEEDS, "calendars", retry_after=5),
            openid=OpenIdProvider.from_settings(settings),
        )

    def close(self) -> None:
        self.listener.stop()
        self.publishers.reset()
        self.calls.close()
        if self.openid is not None:
            self.openid.close()
        self.broker.close()
        self.process_lock.close()
        self.database.close()

    def settings_changed(self, profile_id: str, version: int) -> Effect | None:
        """Drop what is known by them here at once, and have all other processes do so.

        What became of it; None if they could not be told.
        """
        _forget_settings(self.publishers, self.known_lists, profile_id)
        return invalidation.confirm_invalidation(self.broker, profile_id, version)


def _forget_settings(
    publishers: Publishers, known_lists: KnownLists, profile_id: str | None
) -> None:
    publishers.reset(profile_id)
    known_lists.reset()


def _openid_limit() -> ConcurrencyLimit:
    return ConcurrencyLimit(limits.OPENID_CALLS, "sign-ins", retry_after=3)


def _bounded_calls(settings: Settings) -> BoundedCalls:
    limit = ConcurrencyLimit(
        limits.LIVE_CALLS,
        "requests that ask Postiz",
        retry_after=5,
        each=settings.live_calls_per_key,
    )
    return BoundedCalls(limit)


def install_services(app: object, services: Services) -> None:
    app.extensions[_EXTENSION] = services  # type: ignore[attr-defined]


def current_services() -> Services:
    """The services of the process that answers this request."""
    return cast(Services, current_app.extensions[_EXTENSION])
