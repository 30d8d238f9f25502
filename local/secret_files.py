"""Keeps a secret in a file that only its owner can read."""

import os
from collections.abc import Callable
from pathlib import Path


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`; made at the first call."""
    if not path.exists():
        write(path, make())
    return path.read_text(encoding="utf-8").strip()


def write(path: Path, text: str) -> None:
    """Replaces the file at once: a reader sees the old text or the new, never a part."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
