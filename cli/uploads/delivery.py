"""Brings clips to the server: those that are there already are passed over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.failures import CliFailure
from cli.http.answers import ApiFailure
from cli.http.api import Api
from cli.uploads.abreast import do_abreast
from cli.uploads.clip import Clip, read_clip
from cli.uploads.display import Display
from cli.uploads.memory import UploadMemory
from cli.uploads.resumable import REFUSALS, ResumableUpload


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """`media_id`: None for a clip that the server refused, for `reason`."""

    clip: Clip
    media_id: str | None
    state: str
    reason: str | None = None

    def as_row(self) -> dict[str, object]:
        return {
            "file": str(self.clip.path),
            "media_id": self.media_id,
            "sha256": self.clip.sha256,
            "size": self.clip.size,
            "state": self.state,
            "reason": self.reason,
        }


def read_clips(api: Api, paths: Sequence[Path]) -> list[Clip]:
    """In the order of `paths`, each with its checksum."""
    try:
        total = sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise CliFailure(f"{error.filename} cannot be read: {error.strerror}") from error
    with Display("Reading", total) as display:
        return do_abreast(paths, lambda path: read_clip(path, api.stop, display.advance), api.stop)


def deliver_clips(api: Api, clips: Iterable[Clip]) -> dict[str, Delivered]:
    """By checksum: of files with the same content, one is sent."""
    distinct = list({clip.sha256: clip for clip in clips}.values())
    memory = UploadMemory(api.server, api.require_profile())
    with Display("Uploading", sum(clip.size for clip in distinct)) as display:
        done = do_abreast(distinct, lambda clip: _deliver(api, memory, clip, display), api.stop)
    return {delivered.clip.sha256: delivered for delivered in done}


def _deliver(api: Api, memory: UploadMemory, clip: Clip, display: Display) -> Delivered:
    task = display.begin(clip.name, clip.size)
    if there := _find_medium(api, clip):
        display.note_done(task, clip.size)
        display.end(task, f"{clip.name}: is there")
        return Delivered(clip=clip, media_id=there, state="there")
    upload = ResumableUpload(api, memory, clip, lambda done: display.note_done(task, done))
    try:
        media_id = upload.run()
    except ApiFailure as failure:
        if failure.status not in REFUSALS:
            raise
        display.end(task, f"{clip.name}: refused. {failure.message}")
        return Delivered(clip=clip, media_id=None, state="refused", reason=failure.message)
    display.note_done(task, clip.size)
    display.end(task, f"{clip.name}: uploaded")
    return Delivered(clip=clip, media_id=media_id, state="uploaded")


def _find_medium(api: Api, clip: Clip) -> str | None:
    found = api.get("/media", {"sha256": clip.sha256, "limit": 1})["items"]
    return str(found[0]["id"]) if found else None
