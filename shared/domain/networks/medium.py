"""A medium, with the fields that the rules need."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Medium:
    """A stored file; `mime` is None until the file is fetched, other fields while they are unknown.

    `width` and `height` as shown, in pixels; `duration` in seconds; `size` in bytes.
    """

    id: int
    mime: str | None
    size: int | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None

    @property
    def is_video(self) -> bool:
        return self.mime is not None and self.mime.startswith("video/")
