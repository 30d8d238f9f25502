"""`make demo`, as a newcomer runs it."""

import os
import subprocess
import sys
from pathlib import Path

from local.child import ROOT


def run_demo(folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "local", "demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_publishes_everything_and_leaves_nothing(tmp_path: Path) -> None:
    done = run_demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for network in ("X", "TikTok", "Instagram", "YouTube", "LinkedIn"):
        assert f"Demo on {network}" in done.stdout
    assert "(pages)" not in done.stdout, "there are none"
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_fails_says_why(tmp_path: Path) -> None:
    done = run_demo(tmp_path, PRESSROOM_LOG_FORMAT="xml")
    assert done.returncode == 1
    assert "PRESSROOM_LOG_FORMAT" in done.stderr
    [kept] = tmp_path.iterdir()
    assert f"all data and logs are kept in {kept}" in done.stdout
