"""The objects that a worker process uses: created once, after the fork."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

from shared import metrics
from shared.config import Settings, read_settings
from shared.crypto import SecretBox
from shared.db import Database
from shared.log import configure_logging
from shared.profiles.invalidation import Listener
from shared.profiles.publisher_cache import PublisherFactory, Publishers
from shared.storage.base import Storage
from shared.storage.factory import open_storage
from shared.task_queue import Waker


class Kept(Protocol):
    """What lives as long as the runtime."""

    def __init__(self, runtime: "Runtime") -> None: ...

    def close(self) -> None: ...


K = TypeVar("K", bound=Kept)


@dataclass
class Runtime:
    """The composition root of a worker child; tests create their own."""

    settings: Settings
    database: Database
    publishers: Publishers
    storage: Storage
    waker: Waker
    listener: Listener | None = None
    #: Profile: time of its last release
    last_releases: dict[str, float] = field(default_factory=dict)
    #: Name: time of its last heartbeat
    last_heartbeats: dict[str, float] = field(default_factory=dict)
    #: Account, profile: its last upload
    last_uploads: dict[int | str, float] = field(default_factory=dict)
    last_fires: dict[str, float] = field(default_factory=dict)  # profile: its last schedule
    last_led: dict[str, float] = field(default_factory=dict)  # profile: when it last led a call
    #: Account: number of its counted calls; profile: number of its releases
    counts: Counter[int | str] = field(default_factory=Counter)

    #: Made at first use, by their class
    kept: dict[type[Kept], Kept] = field(default_factory=dict)

    def keep(self, kind: type[K]) -> K:
        """The process's only object of this class."""
        if kind not in self.kept:
            self.kept[kind] = kind(self)
        return cast(K, self.kept[kind])

    def close(self) -> None:
        for kept in self.kept.values():
            kept.close()
        if self.listener:
            self.listener.stop()
        self.publishers.reset()
        self.database.close()


def build_runtime(waker: Waker, settings: Settings | None = None) -> Runtime:
    settings = settings or read_settings()
    configure_logging(settings.log_format)
    metrics.use_folder(settings.metrics_dir)
    database = Database.connect(settings, pool_size=2, overflow=4)
    factory = PublisherFactory(database, settings, SecretBox.from_settings(settings))
    publishers = Publishers(factory)
    return Runtime(
        settings=settings,
        database=database,
        publishers=publishers,
        storage=open_storage(settings.media_url),
        waker=waker,
        listener=Listener(settings.redis_url.get_secret_value(), publishers.reset).start(),
    )
