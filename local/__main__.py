"""The command line of the embedded stack: `python -m local up|down|demo`."""

import argparse
import logging
import os
import sys

from local.down import down
from local.errors import StackError
from local.home import Home, home_from
from local.up import up

logger = logging.getLogger("local")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "demo"])
    try:
        _run(parser.parse_args().command)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(command: str) -> None:
    home = home_from(os.environ)
    _configure_logging(home if command == "up" else None)
    match command:
        case "up":
            up(home, os.environ)
        case "down":
            down(home)
        case "demo":
            from local.demo import demo  # noqa: PLC0415 (with what makes videos: not for `up`)

            demo(os.environ)


def _configure_logging(home: Home | None) -> None:
    """To the terminal as it is, and for `up` to a log file with the time."""
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler(sys.stdout))
    if home is not None:
        home.make()
        file = logging.FileHandler(home.log("stack"))
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(file)


if __name__ == "__main__":
    sys.exit(main())
