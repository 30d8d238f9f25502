"""Reads an object of a bucket as a file: as one stream, and as a new stream after a seek."""

import io
from typing import TYPE_CHECKING, BinaryIO, cast

from shared.storage.s3_errors import bucket_errors

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client

_BUFFER = 256 * 1024


def open_object(client: "S3Client", bucket: str, name: str, *, size: int) -> BinaryIO:
    raw = _Object(client, bucket, name, size=size)
    return cast(BinaryIO, io.BufferedReader(raw, _BUFFER))


class _Object(io.RawIOBase):
    def __init__(self, client: "S3Client", bucket: str, name: str, *, size: int) -> None:
        super().__init__()
        self._client = client
        self._bucket = bucket
        self._name = name
        self._size = size
        self._at = 0
        self._body: StreamingBody | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset != self._at:
            self._at = max(0, start + offset)
            self._close_body()
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self._size:
            return 0
        with bucket_errors(self._bucket, self._name):
            if self._body is None:
                self._body = self._open_body()
            data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _open_body(self) -> "StreamingBody":
        wanted = f"bytes={self._at}-"
        found = self._client.get_object(Bucket=self._bucket, Key=self._name, Range=wanted)
        return found["Body"]

    def _close_body(self) -> None:
        if self._body is not None:
            self._body.close()  # and its connection: else the rest would have to be read
            self._body = None

    def close(self) -> None:
        self._close_body()
        super().close()
