"""A worker's runtime in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from shared.crypto import SecretBox
from shared.db import Database
from shared.profiles.publisher_cache import PublisherFactory, Publishers
from shared.storage.factory import open_storage
from tests.servers.api import Api
from tests.servers.settings import make_settings
from tests.workers.inline_tasks import InlineWaker
from worker.runtime import Runtime

SHORT_TIMES = {
    "PRESSROOM_SETTLE_SECONDS": "0.5",
    "PRESSROOM_WRITES_PER_SECOND": "50",
    "PRESSROOM_CALL_TIMEOUT_SECONDS": "3",
    "PRESSROOM_UNKNOWN_RELEASE_SECONDS": "1",
    "PRESSROOM_ERROR_FINAL_SECONDS": "2",
}


def make_runtime(
    database_url: str, home: Path, engine: Engine | None = None, /, **settings: Any
) -> Runtime:
    """With the short times of a test; `settings` by their environment names.

    `engine` is that of a runtime on this database which is closed: it knows the statements that it
    has compiled, and opens new connections.
    """
    read = make_settings(database_url, home, **{**SHORT_TIMES, **settings})
    database = Database(engine) if engine else Database.connect(read)
    factory = PublisherFactory(database, read, SecretBox.from_settings(read))
    return Runtime(
        settings=read,
        database=database,
        publishers=Publishers(factory),
        storage=open_storage(read.media_url),
        waker=InlineWaker(),
    )


@contextmanager
def worker_beside(api: Api, home: Path) -> Iterator[Runtime]:
    """On the database of the API in this process."""
    runtime = make_runtime(api.services.settings.database_url.get_secret_value(), home)
    yield runtime
    runtime.close()
