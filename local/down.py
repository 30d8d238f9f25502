"""`down`: stops the stack of a home from elsewhere, and returns once it is gone."""

import logging
import os
import signal
import time

from local import orphans, stack_file
from local.errors import StackError
from local.home import Home

_STOP_SECONDS = 90.0

logger = logging.getLogger("local")


def down(home: Home) -> None:
    supervisor = home.holder()
    if supervisor is not None:
        _stop(home, supervisor)
    elif home.running_file.exists():
        _clear_up(home)
    else:
        logger.info("nothing is running in %s", home.folder)


def _stop(home: Home, supervisor: int) -> None:
    logger.info("stopping process %d in %s", supervisor, home.folder)
    os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while home.holder() == supervisor:
        if time.monotonic() > deadline:
            raise StackError(f"process {supervisor} has not stopped within {_STOP_SECONDS:g} s")
        time.sleep(0.1)
    logger.info("stopped")


def _clear_up(home: Home) -> None:
    with home.locked():
        count = orphans.end(home.running_file)
        if last := stack_file.read(home.stack_file):
            stack_file.write(home.stack_file, last[0], {})
    logger.info("the stack in %s had been killed; ended its last %d processes", home.folder, count)
