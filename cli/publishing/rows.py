"""What is to be published: a row for each post, before anything is uploaded."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

    @property
    def name(self) -> str:
        return ", ".join(path.name for path in self.files)
