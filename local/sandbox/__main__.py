"""`python -m local.sandbox --port N --data DIR`: run the stand-in Postiz."""

import argparse
import asyncio
import json
from pathlib import Path

from . import timing
from .server import serve
from .state import LAYOUTS, Options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="folder of the state")
    parser.add_argument("--layout", choices=LAYOUTS, default="source")
    parser.add_argument("--timing", type=timing.from_json, default=timing.Timing(), help="JSON")
    parser.add_argument("--seed", type=Path, help="JSON file with the first organizations")
    parser.add_argument("--seed-random", type=int, help="makes faults repeatable")
    parser.add_argument("--allow-private-urls", action="store_true")
    return parser


def main() -> None:
    given = _parser().parse_args()
    options = Options(
        data=given.data,
        host=given.host,
        port=given.port,
        layout=given.layout,
        timing=given.timing,
        seed=json.loads(given.seed.read_text()) if given.seed else None,
        random_seed=given.seed_random,
        allow_private_urls=given.allow_private_urls,
    )
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
