"""Worker children as processes of their own (tests/workers/child.py), ended by their pids."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from local.child import ROOT


@contextmanager
def children(number: int, environ: Mapping[str, str], *words: str) -> Iterator[None]:
    """So many children that are what `words` say, once each of them works."""
    command = [sys.executable, "-m", "tests.workers.child", *words]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
        for _ in range(number)
    ]
    try:
        for child in started:
            assert child.stdout is not None
            assert child.stdout.readline() == "working\n"
        yield
    finally:
        for child in started:
            child.kill()
        for child in started:
            child.wait()
            assert child.stdout is not None
            child.stdout.close()
