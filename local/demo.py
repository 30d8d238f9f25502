"""`demo`: the whole of Pressroom from nothing to published posts, against the sandbox Postiz."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from local import guard, stack_file
from local.child import ROOT
from local.demo_story import tell
from local.errors import StackError
from local.home import Home
from local.logs import last_lines
from local.stack_file import Addresses

_START_SECONDS = 600
_STOP_SECONDS = 90
_SETTLE_SECONDS = "3"

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


def demo(users: Mapping[str, str]) -> None:
    """Raises `StackError` when anything goes wrong, and then keeps the home for a look."""
    signal.signal(signal.SIGTERM, _leave)
    guard.start()
    home = Home(Path(tempfile.mkdtemp(prefix="pressroom-demo-")).resolve())
    try:
        with _stack(home, users) as addresses:
            tell(console, addresses, home.folder)
            console.print("[bold]Stopping everything.[/]")
    except Exception:
        _print_logs(home)
        raise
    shutil.rmtree(home.folder)
    console.print(
        "\n[bold green]Done.[/] To keep a stack running: [bold]make up[/]; then read and try "
        "the API at the address that it prints."
    )


@contextmanager
def _stack(home: Home, users: Mapping[str, str]) -> Iterator[Addresses]:
    console.print(f"[bold]Starting everything[/] in {home.folder}, on free ports.")
    console.print(f"  (to save time, drafts settle for {_SETTLE_SECONDS} s; the default is 60 s)")
    with (home.folder / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "local", "up"],
            cwd=ROOT,
            env=_environment(home, users),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops the stack in order
        )
        try:
            yield _addresses(home, up)
        finally:
            status = _stop(up)
        if status != 0:
            raise StackError(f"the stack ended with exit status {status}")


def _environment(home: Home, users: Mapping[str, str]) -> dict[str, str]:
    ours = {
        "PRESSROOM_HOME": str(home.folder),
        "PRESSROOM_PORT": "0",
        "PRESSROOM_FLOWER_PORT": "0",
        "PRESSROOM_SANDBOX": "1",
        "PRESSROOM_SETTLE_SECONDS": _SETTLE_SECONDS,
        "PRESSROOM_PROXY_URL": "",  # the sandbox is on this machine
        "PRESSROOM_PROXY_URL_FILE": "",
    }
    return {**users, **ours}


def _addresses(home: Home, up: subprocess.Popen[bytes]) -> Addresses:
    deadline = time.monotonic() + _START_SECONDS
    while (written := stack_file.read(home.stack_file)) is None:
        if up.poll() is not None:
            raise StackError(f"the stack did not start:\n{last_lines(home.folder / 'up.log')}")
        if time.monotonic() > deadline:
            raise StackError(f"the stack was not ready within {_START_SECONDS} s")
        time.sleep(0.2)
    return written[0]


def _stop(up: subprocess.Popen[bytes]) -> int:
    up.terminate()
    return up.wait(timeout=_STOP_SECONDS)


def _leave(_number: int, _frame: Any) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _print_logs(home: Home) -> None:
    for log in sorted(home.logs.glob("*.log")):
        if text := last_lines(log, count=12):
            console.print(f"[bold]── the end of {log}:[/]")
            console.print(text, markup=False)
    console.print(f"all data and logs are kept in {home.folder}")
