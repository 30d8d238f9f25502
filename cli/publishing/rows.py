"""What is to be published: a row for each post, before anything is uploaded."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cli.uploads.clip import Clip


@dataclass(frozen=True, kw_only=True)
class PostRow:
    """`channels`: ids. `publish_at`: of its own, as it was written. `place`: where it stands, for
    messages."""

    files: Sequence[Path]
    caption: str
    channels: Sequence[str]
    publish_at: str | None = None
    captions_per_platform: Mapping[str, str] = field(default_factory=dict)
    first_comment: str | None = None
    place: str

    def key(self, clips: Mapping[Path, Clip]) -> str:
        """The same for the same files on the same channels, whatever they are called and say."""
        shown = [[clips[path].sha256 for path in self.files], sorted(set(self.channels))]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()

    def on(self, channels: Sequence[str]) -> "PostRow":
        return replace(self, channels=channels)

    def posts(self) -> "list[PostRow]":
        """One for each channel, of which each has a key of its own."""
        return [self.on([channel]) for channel in dict.fromkeys(self.channels)]

    @property
    def name(self) -> str:
        return ", ".join(path.name for path in self.files)
