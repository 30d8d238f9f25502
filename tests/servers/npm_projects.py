"""Programs from npm, as their lock files name them; the folder of each stands beside this file."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.timing.patience import PATIENCE

NODE, NPM = shutil.which("node"), shutil.which("npm")
REQUIRED = os.environ.get("PRESSROOM_OPTIONAL_TESTS") == "required"


def install(project: str, folder: Path) -> None:
    """Into `folder`, which is made; the test is skipped where that cannot be, but not in CI."""
    if (NODE is None or NPM is None) and not REQUIRED:
        pytest.skip("no node and npm here")
    source = Path(__file__).parent / project
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = [NPM or "npm", "ci", "--no-audit", "--no-fund", "--loglevel", "error"]
    installed = subprocess.run(command, cwd=folder, timeout=PATIENCE, check=False)
    if installed.returncode and not REQUIRED:
        pytest.skip("npm does not reach its packages here")
    assert installed.returncode == 0
