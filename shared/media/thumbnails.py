"""Small pictures of media, made when they are first asked for.

They are kept like files without a row, which the hourly cleaning deletes after some hours: then
they are made again.
"""

from shared.errors import FileMissing, Unavailable
from shared.log import get_logger
from shared.media.metadata import read_thumbnail
from shared.storage.base import Storage

log = get_logger("media")


def thumbnail_key(storage_key: str) -> str:
    """Of a file's key: beside it, where no hash begins so."""
    profile_id, _, sha256 = storage_key.split("/")
    return f"{profile_id}/th/{sha256}"


def load_thumbnail(storage: Storage, storage_key: str, mime: str) -> bytes:
    """A JPEG. Raises `FileMissing`, and as `read_thumbnail`."""
    kept = thumbnail_key(storage_key)
    try:
        with storage.open(kept) as file:
            return file.read()
    except FileMissing:
        with storage.open(storage_key) as file:
            content = read_thumbnail(file, mime=mime)
    try:
        with storage.receive() as incoming:
            incoming.write(content)
            incoming.finish()
            incoming.keep(kept)
    except Unavailable as error:
        log.warning("a thumbnail is not kept", reason=error.message)
    return content
