"""`python -m local.run`: a program with the settings and the PostgreSQL of a stack that is down."""

import os
import subprocess
import sys
from pathlib import Path

from local.child import ROOT
from local.home import Home


def run(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "PRESSROOM_HOME": str(home)}
    command = [sys.executable, "-m", "local.run", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def test_a_backup_goes_and_comes_back_while_the_stack_is_down(tmp_path: Path) -> None:
    home, dump = tmp_path / "home", str(tmp_path / "dump")
    assert run(home, "python", "-m", "shared.migrate").returncode == 0
    insert = "INSERT INTO profiles (id, name) VALUES ('acme', 'Acme')"
    assert run(home, "psql", "--command", insert).returncode == 0
    assert run(home, "pg_dump", "--format=custom", f"--file={dump}").returncode == 0
    assert run(home, "dropdb", "--if-exists", "--force", "pressroom").returncode == 0
    restored = run(home, "pg_restore", "--exit-on-error", "--dbname=pressroom", dump)
    assert restored.returncode == 0, restored.stderr
    assert run(home, "psql", "-At", "--command", "SELECT name FROM profiles").stdout == "Acme\n"
    assert Home(home).holder() is None
    assert run(home, "false").returncode == 1
