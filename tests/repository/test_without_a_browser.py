"""A machine without a browser passes over the page tests in one line; CI does not pass without."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ADVICE = "no Chromium here: apt-get install chromium"


def run_page_tests(folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Those that drive a browser, on a machine that has no program but Python."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "documentation_is"]
    environ = {**os.environ, "PATH": str(folder), **settings}
    return subprocess.run(
        [*command, "tests/browser"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_page_tests_are_skipped_with_what_to_install(tmp_path: Path) -> None:
    done = run_page_tests(tmp_path, PRESSROOM_OPTIONAL_TESTS="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(ADVICE) == 1
    assert "1 skipped" in done.stdout


def test_ci_fails_without_a_browser(tmp_path: Path) -> None:
    done = run_page_tests(tmp_path, PRESSROOM_OPTIONAL_TESTS="required")
    assert done.returncode != 0
    assert ADVICE in done.stderr
    assert "PRESSROOM_OPTIONAL_TESTS=required" in (ROOT / ".ci" / "run").read_text()
