"""A clock and the worker that it wakes, in a process of its own, to be killed at will."""

import sys
import time
from pathlib import Path

from shared.crypto import SecretBox
from shared.log import configure_logging
from shared.schedules.definitions import RunContext
from tests.workers.runtimes import make_runtime
from worker.schedules import fire


def main(database_url: str, home: str, secret_key: str) -> None:
    """Fires what is due until it is killed; says so once it is at work."""
    configure_logging("text")
    runtime = make_runtime(database_url, Path(home), PRESSROOM_SECRET_KEYS=secret_key)
    context = RunContext(settings=runtime.settings, box=SecretBox.from_settings(runtime.settings))
    print("working", flush=True)
    while True:
        if not fire.fire_next(runtime.database, context):
            time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
