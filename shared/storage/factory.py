"""The storage that `PRESSROOM_MEDIA_URL` names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from shared.errors import PressroomError
from shared.storage.base import Storage
from shared.storage.filesystem import FolderStorage


def open_storage(url: str) -> Storage:
    """Call it after the fork. No byte is sent yet."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.scheme == "s3" and parts.netloc and not parts.query and not parts.fragment:
        from shared.storage.s3 import BucketStorage  # noqa: PLC0415 (boto3 is loaded for buckets only)

        return BucketStorage.connect(parts.netloc, prefix=path.strip("/"))
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and path:
        return FolderStorage(Path(path))
    raise PressroomError(
        f"PRESSROOM_MEDIA_URL is {url!r}: it must be a folder, file:///…, "
        "or a bucket, s3://bucket/prefix",
        code="bad_setting",
    )
