"""Where files of the command line are kept, by the XDG base directory specification."""

import hashlib
import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_NAME = "pressroom"
#: The server answers a repeated request alike for a day at least.
_REPEATABLE = timedelta(hours=23)


def config_folder() -> Path:
    return _folder("XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    return _folder("XDG_STATE_HOME", ".local/state")


def _folder(variable: str, default: str) -> Path:
    """A relative path in the variable counts as none, as the specification has it."""
    named = Path(os.environ.get(variable, ""))
    return (named if named.is_absolute() else Path.home() / default) / _NAME


def memory_name(*whose: str) -> str:
    """Of what is remembered of this server, profile, folder …; a path may hold any bytes."""
    text = "\n".join(whose).encode(errors="surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]


def why_forgotten(began_at: str, by_key: str, key_mark: str) -> str | None:
    """Why the server does not know a request that began then and was sent `by_key`, in words; None
    if it does. `key_mark`: of the API key by now."""
    if by_key not in {"", key_mark}:
        return "with another API key, whose requests the server does not take for yours"
    age = datetime.now(UTC) - datetime.fromisoformat(began_at)
    return "too long ago for the server to know" if age >= _REPEATABLE else None


def write_privately(path: Path, content: Any) -> None:
    """JSON that only the user can read (0600); whole or not at all, also when power fails.

    Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)  # in ASCII: a file may have any bytes for a name
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
