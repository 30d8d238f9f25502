"""`python -m shared.rotate`: seals every stored secret with the newest key.

PRESSROOM_SECRET_KEYS has the new key first, then the earlier ones. After this command, the earlier
keys may be removed. It may run beside all other processes, and any number of times.
"""

import sys
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import class_mapper

from shared.config import read_settings
from shared.crypto import SecretBox
from shared.db import Database
from shared.errors import SecretUnreadable
from shared.log import configure_logging, get_logger
from shared.models import Base, IdempotencyKey, Profile, User, Webhook

#: Where secrets are stored: a column, and in a JSON column the path to the secret in it, or in each
#: element of its list.
SEALED: tuple[tuple[type[Base], str, tuple[str, ...]], ...] = (
    (Profile, "tts_settings", ("postiz", "api_key")),
    (IdempotencyKey, "body", ()),
    (User, "totp_secret", ()),
    (Webhook, "secret", ()),
    (Webhook, "old_secrets", ("secret",)),
)
_AT_ONCE = 100


@dataclass
class Rotated:
    """How many secrets were sealed again, and which ones none of the keys opens."""

    count: int = 0
    unreadable: list[str] = field(default_factory=list)


def reseal_secrets(database: Database, box: SecretBox) -> Rotated:
    done = Rotated()
    for place in SEALED:
        _reseal_column(database, box, done, *place)
    return done


def _reseal_column(  # noqa: PLR0917
    database: Database,
    box: SecretBox,
    done: Rotated,
    model: type[Base],
    name: str,
    path: tuple[str, ...],
) -> None:
    """In batches, each committed, so that it can be stopped and run again at any time."""
    last = None
    key = class_mapper(model).primary_key
    while True:
        with database.transaction() as session:
            query = select(model).order_by(*key).limit(_AT_ONCE).with_for_update(key_share=True)
            rows = session.scalars(query if last is None else query.where(tuple_(*key) > last))
            last = None
            for row in rows:
                last = tuple(getattr(row, str(part.key)) for part in key)
                try:
                    sealed = _resealed_value(box, getattr(row, name), path)
                except SecretUnreadable:
                    done.unreadable.append(f"{model.__tablename__}.{name} of {last}")
                    continue
                if sealed is not None:
                    setattr(row, name, sealed)
                    done.count += 1
            if last is None:
                return


def _resealed_value(box: SecretBox, value: Any, path: tuple[str, ...]) -> Any:
    """The column's value with its secret sealed again; None if there is nothing to do."""
    if value is None:
        return None
    if not path:
        return box.reseal(value)
    if isinstance(value, list):
        parts = [_resealed_value(box, element, path) for element in value]
        changed = [
            element if new is None else new for element, new in zip(value, parts, strict=True)
        ]
        return None if changed == value else changed
    inner = _resealed_value(box, value.get(path[0]), path[1:])
    return None if inner is None else {**value, path[0]: inner}


def main() -> None:
    settings = read_settings()
    configure_logging(settings.log_format)
    database = Database.connect(settings, pool_size=1)
    done = reseal_secrets(database, SecretBox.from_settings(settings))
    database.close()
    log = get_logger("rotate")
    log.info("secrets sealed with the newest key", count=done.count)
    if done.unreadable:
        log.error("no key opens these secrets: keep the old key", secrets=done.unreadable)
        sys.exit(1)


if __name__ == "__main__":
    main()
