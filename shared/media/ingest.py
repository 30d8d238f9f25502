"""Receives a file: hashes it, detects its type and limits its size while it goes to the storage."""

import hashlib
from dataclasses import dataclass

from shared.domain.networks.media_types import (
    HEAD_BYTES,
    FileType,
    brand_of,
    detect_file_type,
    size_limit_message,
)
from shared.errors import InvalidRequest, TooLarge
from shared.media.metadata import Facts, read_facts
from shared.storage.base import Incoming, Storage, key_of


@dataclass(frozen=True, kw_only=True)
class Received:
    """A complete file that Postiz accepts; it is `incoming` until it is kept."""

    incoming: Incoming
    sha256: str
    size: int
    mime: str
    facts: Facts
    brand: str | None = None
    name: str | None = None

    def prepare(self, storage: Storage, profile_id: str) -> None:
        """Call it before the transaction that keeps the file, which then does not wait for it."""
        key = key_of(profile_id, self.sha256)
        if not storage.exists(key):
            self.incoming.prepare(key)

    def keep(self, profile_id: str) -> str:
        """Move it to its place among the profile's files; returns its storage key."""
        key = key_of(profile_id, self.sha256)
        self.incoming.keep(key)
        return key


class Receiver:
    """Takes the bytes of one file. Refuses the file as soon as it is clear that Postiz would."""

    def __init__(self, incoming: Incoming, name: str | None = None) -> None:
        self.incoming = incoming
        self.name = name
        self._hash = hashlib.sha256()
        self._head = b""
        self._size = 0
        self._type: FileType | None = None

    def write(self, data: bytes) -> None:
        """Raises `UnsupportedMedia`, `TooLarge` or `StorageFull`."""
        self._size += len(data)
        if self._type is None:
            self._head += data[: HEAD_BYTES - len(self._head)]
            if len(self._head) >= HEAD_BYTES:
                self._type = detect_file_type(self._head)
        if self._type is not None and self._size > self._type.limit:
            raise TooLarge(size_limit_message(self._type))
        self._hash.update(data)
        self.incoming.write(data)

    def finish(self) -> Received:
        """All bytes are written. Raises as `write` does, and `InvalidRequest` for an empty file."""
        if not self._size:
            raise InvalidRequest("The file is empty", code="empty_file")
        kind = self._type or detect_file_type(self._head)
        self.incoming.finish()
        with self.incoming.read_back() as file:
            facts = read_facts(file, mime=kind.mime)
        return Received(
            incoming=self.incoming,
            sha256=self._hash.hexdigest(),
            size=self._size,
            mime=kind.mime,
            facts=facts,
            brand=brand_of(self._head),
            name=self.name,
        )
