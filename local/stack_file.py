"""Reads and writes stack.json, which tells people and scripts how to reach a running stack.

After a stop the file stays, with no processes in it, so that scripts work again after a restart. It
holds the admin key, which is in no other file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from local import secret_files
from local.errors import StackError

Processes = Mapping[str, Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Everything in stack.json but the processes; it holds secrets."""

    web_url: str
    flower_url: str
    admin_key: str
    database_url: str
    redis_url: str
    sandbox_url: str | None


def write(path: Path, addresses: Addresses, processes: Processes) -> None:
    content = {**asdict(addresses), "processes": processes}
    secret_files.write(path, json.dumps(content, indent=2) + "\n")


def read(path: Path) -> tuple[Addresses, Processes] | None:
    """What is there, or None when nothing is."""
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        processes = content.pop("processes")
        return Addresses(**content), processes
    except (ValueError, TypeError, KeyError) as error:
        raise StackError(
            f"{path} is damaged: remove it; the next start creates it again"
        ) from error
