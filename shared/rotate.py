"""`python -m shared.rotate`: seals every stored secret anew with the newest key.

PRESSROOM_SECRET_KEYS names the new key first, then those that sealed so far. After it the older
ones may go. It may run beside everything else, and as often as one likes.
"""

from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import class_mapper

from shared.config import read_settings
from shared.crypto import SecretBox
from shared.db import Database
from shared.log import configure_logging, get_logger
from shared.models import Base, IdempotencyKey, Profile, Webhook

#: Where secrets lie: a column, and the way to the secret in it, or in each of its list, where it
#: holds JSON.
SEALED: tuple[tuple[type[Base], str, tuple[str, ...]], ...] = (
    (Profile, "tts_settings", ("postiz", "api_key")),
    (IdempotencyKey, "body", ()),
    (Webhook, "secret", ()),
    (Webhook, "old_secrets", ("secret",)),
)
_AT_ONCE = 100


def rotate(database: Database, box: SecretBox) -> int:
    """How many rows were sealed anew. Raises `PressroomError` for one that no key opens."""
    return sum(_rotate(database, box, *place) for place in SEALED)


def _rotate(
    database: Database, box: SecretBox, model: type[Base], name: str, path: tuple[str, ...]
) -> int:
    """In batches, each of which is committed: to be stopped and gone on with at any time."""
    count, last = 0, None
    key = class_mapper(model).primary_key
    while True:
        with database.transaction() as session:
            query = select(model).order_by(*key).limit(_AT_ONCE).with_for_update(key_share=True)
            rows = session.scalars(query if last is None else query.where(tuple_(*key) > last))
            last = None
            for row in rows:
                last = tuple(getattr(row, str(part.key)) for part in key)
                sealed = _resealed(box, getattr(row, name), path)
                if sealed is not None:
                    setattr(row, name, sealed)
                    count += 1
            if last is None:
                return count


def _resealed(box: SecretBox, value: Any, path: tuple[str, ...]) -> Any:
    """The column's value with its secret sealed anew; None where there is nothing to do."""
    if value is None:
        return None
    if not path:
        return box.reseal(value)
    if isinstance(value, list):
        parts = [_resealed(box, one, path) for one in value]
        changed = [one if new is None else new for one, new in zip(value, parts, strict=True)]
        return None if changed == value else changed
    inner = _resealed(box, value.get(path[0]), path[1:])
    return None if inner is None else {**value, path[0]: inner}


def main() -> None:
    settings = read_settings()
    configure_logging(settings.log_format)
    database = Database.connect(settings, pool_size=1)
    count = rotate(database, SecretBox.from_settings(settings))
    database.close()
    get_logger("rotate").info("sealed anew with the newest key", count=count)


if __name__ == "__main__":
    main()
