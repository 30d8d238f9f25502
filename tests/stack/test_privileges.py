"""PostgreSQL refuses to run as root, and must not need anyone else's folders to be opened."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import StackError
from local.privileges import owned_by_server, unprivileged

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change its user")


def test_an_ordinary_user_runs_the_command_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged(["postgres", "-D", "data"]) == ["postgres", "-D", "data"]


def test_root_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(StackError, match="apt-get install util-linux"):
        unprivileged(["postgres"])


@as_root
def test_root_runs_it_as_nobody_even_below_a_folder_that_only_root_may_enter(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "program").touch(mode=0o755)
    look = (
        "import os, pwd, sys; "
        "print(pwd.getpwuid(os.geteuid()).pw_name, os.access(sys.argv[1], os.X_OK))"
    )
    command = [sys.executable, "-c", look, str(closed / "program")]
    shown = subprocess.run(unprivileged(command), capture_output=True, text=True, check=True)
    assert shown.stdout == "nobody True\n"
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_nobody_keeps_no_other_right_of_root() -> None:
    command = unprivileged(["grep", "CapEff", "/proc/self/status"])
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (
        int(shown.stdout.split()[1], 16) == 1 << 1
    )  # CAP_DAC_OVERRIDE, as capability.h numbers it


@as_root
def test_the_data_folder_belongs_to_the_server(tmp_path: Path) -> None:
    data = owned_by_server(tmp_path / "data")
    assert data.owner() == "nobody"
    assert data.stat().st_mode & 0o777 == 0o700
