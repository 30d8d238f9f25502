"""A person's word that something is not on the network, given once though its answer is lost.

The same command, run again, must not give it anew: what was released on the first word may be on
the network by then, and nobody has looked for that.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from cli.failures import CliFailure
from cli.http.answers import ApiFailure
from cli.http.api import Api
from cli.output import format_time, note
from cli.places import memory_name, state_folder, why_forgotten, write_privately

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Word:
    """`key`: of idempotency. `as_of`: what was seen of a post; None where only the key tells."""

    key: str
    by_key: str
    given_at: str
    as_of: str | None


def give_word(api: Api, about: str, as_of: str | None, send: Callable[[Word], T]) -> T:
    """What `send` gives for the word about this: that of an earlier run, if its answer was lost.

    Raises what `send` raises, and `CliFailure` for a word of which the server knows nothing more.
    """
    path = state_folder() / "words" / f"{memory_name(api.server, about)}.json"
    word = _recall(path)
    if word is None:
        now = datetime.now(UTC).isoformat()
        word = Word(key=uuid4().hex, by_key=api.key_mark, given_at=now, as_of=as_of)
        _remember(path, word)
    else:
        _require_known(api, path, word)
    try:
        done = send(word)
    except ApiFailure as failure:
        if failure.code and failure.retry_after is None:
            path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)
    return done


def _recall(path: Path) -> Word | None:
    try:
        return Word(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        message = f"{path}, which says what you gave your word for, cannot be read"
        raise CliFailure(message, hint="look at the channel once more, and remove it") from error


def _remember(path: Path, word: Word) -> None:
    try:
        write_privately(path, asdict(word))
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise CliFailure(message, hint="set XDG_STATE_HOME to another folder") from error


def _require_known(api: Api, path: Path, word: Word) -> None:
    given = f"Your word of {format_time(word.given_at)}, whose answer was lost,"
    why = why_forgotten(word.given_at, word.by_key, api.key_mark) if word.as_of is None else None
    if why is not None:
        path.unlink(missing_ok=True)
        raise CliFailure(
            f"{given} was given {why}: it may have been taken",
            hint="look at what became of it, and at the channel; run this again to give it anew",
        )
    note(f"{given} is sent again as it was: it says nothing of what has happened since")
