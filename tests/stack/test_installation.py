"""`pip install .` of a checkout gives the command line, and only what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from local.child import ROOT
from tests.timing.patience import PATIENCE

#: What a server needs, and a user's machine should be spared.
SPARED = ("celery", "flask", "sqlalchemy", "psycopg2")
SHELLS = {"bash": "complete -o", "zsh": "compdef", "fish": "complete --"}


def run(*words: str | Path, **environ: str) -> str:
    done = subprocess.run(
        [*map(str, words)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environ} if environ else None,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        environment / "bin" / "python",
    ]
    run(*pip, "install", "--quiet", "--disable-pip-version-check", ROOT)
    return environment / "bin"


def test_a_checkout_installs_the_command_alone(bin_folder: Path) -> None:
    assert run(bin_folder / "pressroom", "--version").startswith("pressroom 0.")
    names = (*SPARED, "shared", "web")
    script = f"from importlib.util import find_spec; print([*filter(find_spec, {names!r})])"
    assert run(bin_folder / "python", "-I", "-c", script).strip() == "[]"


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_completion(bin_folder: Path, shell: str) -> None:
    shown = run(bin_folder / "pressroom", **{"_PRESSROOM_COMPLETE": f"source_{shell}"})
    assert SHELLS[shell] in shown
