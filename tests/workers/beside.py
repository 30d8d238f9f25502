"""A worker in this process beside the API: on its database, with its keys for secrets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.api import Api
from tests.workers.world import runtime_for
from worker.runtime import Runtime


@contextmanager
def worker_beside(api: Api, home: Path) -> Iterator[Runtime]:
    settings = api.services.settings
    keys = ",".join(key.get_secret_value() for key in settings.secret_keys)
    url = settings.database_url.get_secret_value()
    runtime = runtime_for(url, home, PRESSROOM_SECRET_KEYS=keys)
    yield runtime
    runtime.close()
