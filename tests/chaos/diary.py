"""What was done to the arena, and when: written by the injectors, read by the audit."""

import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_REVISION = re.compile(r" \(revision [0-9]+\)$")


def origin(content: str) -> str:
    """The content with which a post was accepted, whatever it was edited to."""
    return _REVISION.sub("", content)


@dataclass(frozen=True)
class Entry:
    at: float
    what: str  # kill, freeze, thaw, flushall, rotation, …
    detail: str


@dataclass
class Diary:
    entries: list[Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, detail: str = "") -> None:
        with self._lock:
            self.entries.append(Entry(time.time(), what, detail))

    def of(self, what: str) -> list[Entry]:
        with self._lock:
            return [entry for entry in self.entries if entry.what == what]

    def counts(self) -> Counter[str]:
        with self._lock:
            return Counter(entry.what for entry in self.entries)

    def write(self, file: Path) -> None:
        lines = [f"{entry.at:.3f} {entry.what} {entry.detail}" for entry in self.entries]
        file.write_text("\n".join(lines))

    def details(self, what: str) -> Counter[str]:
        return Counter(entry.detail for entry in self.of(what))
