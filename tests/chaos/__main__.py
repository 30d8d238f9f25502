"""`python -m tests.chaos --seed 7`: run, print the table, exit 1 on any violation."""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from local import guard
from tests.chaos.options import Options
from tests.chaos.run import run


def main() -> int:
    asked = _arguments()
    options = Options(
        seed=asked.seed,
        posts=asked.posts,
        accounts=asked.accounts,
        faults=asked.faults,
        kills=asked.kills,
        minutes=asked.minutes or max(0.7, asked.posts / 400),
        concurrency=asked.children,
        patience=asked.patience,
        careless=asked.careless,
        proxy=asked.proxy,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and so everything is stopped
    guard.start()
    began = time.monotonic()
    folder = Path(asked.folder or tempfile.mkdtemp(prefix="pressroom-chaos-"))
    print(f"{options}\nlogs and data: {folder}", flush=True)
    outcome = run(options, folder, say=lambda line: print(line, flush=True))
    print(outcome.report)
    print(f"{time.monotonic() - began:.0f} s in all", flush=True)
    return 1 if outcome.verdict.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--posts", type=int, default=5000)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--faults", type=int, default=540)
    parser.add_argument("--kills", type=int, default=104)
    parser.add_argument("--minutes", type=float, help="of load and injection")
    parser.add_argument("--children", type=int, default=6, help="of each worker pool")
    parser.add_argument("--patience", type=float, default=900, help="seconds to settle at most")
    parser.add_argument("--folder", help="where logs and data go; a temporary one by default")
    parser.add_argument(
        "--careless", action="store_true", help="the control arm: workers that do not park"
    )
    parser.add_argument(
        "--proxy", action="store_true", help="through a CONNECT proxy, which drops tunnels too"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
