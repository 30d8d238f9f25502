"""Receives a file into a bucket.

A small file is written once, to its place. A larger file is sent in parts while it arrives, under a
temporary name. The bucket copies it to its place once its content, and so its key, is known. So a
key never shows half a file.
"""

import io
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Self

from boto3.s3.transfer import TransferConfig

from shared.errors import FileMissing, StorageAway, StorageFull
from shared.log import get_logger
from shared.storage.base import require_key
from shared.storage.s3_errors import bucket_errors
from shared.storage.s3_reading import open_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

INCOMING = "incoming/"
#: Bytes that are held in memory for each incoming file. All parts but the last have exactly this
#: size: some buckets require it.
PART = 8 * 1024**2
_COPIED_AT_ONCE = 128 * 1024**2
_COPY = TransferConfig(
    multipart_threshold=_COPIED_AT_ONCE, multipart_chunksize=_COPIED_AT_ONCE, max_concurrency=4
)

log = get_logger("bucket")


class IncomingObject:
    """`root`: the prefix of all names in the bucket, empty or with a slash at its end."""

    def __init__(self, client: "S3Client", bucket: str, root: str) -> None:
        self._client = client
        self._bucket = bucket
        self._root = root
        self._name = root + INCOMING + secrets.token_hex(16)
        self._buffer = bytearray()
        self._size = 0
        self._upload: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self._stands = False  # complete, under `_name`

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, data: bytes) -> None:
        self._size += len(data)
        self._buffer += data
        while len(self._buffer) > PART:  # never all of it: the last part must not be empty
            with memoryview(self._buffer) as held:
                part = bytes(held[:PART])
            del self._buffer[:PART]
            self._send_part(part)

    def finish(self) -> None:
        if self._upload is None:
            return  # a small file goes directly to its place
        self._send_part(bytes(self._buffer))
        self._buffer.clear()
        with bucket_errors(self._bucket):
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._name,
                UploadId=self._upload,
                MultipartUpload={"Parts": self._parts},
            )
        self._upload, self._stands = None, True

    def read_back(self) -> BinaryIO:
        if self._stands:
            return open_object(self._client, self._bucket, self._name, size=self._size)
        return io.BytesIO(self._buffer)

    def prepare(self, key: str) -> None:
        """The bucket needs seconds to copy a large file; a lock would be held as long."""
        name = self._root + require_key(key)
        with bucket_errors(self._bucket):
            if self._stands:
                source = {"Bucket": self._bucket, "Key": self._name}
                self._client.copy(source, self._bucket, name, Config=_COPY)  # type: ignore[arg-type]
            else:
                self._client.put_object(Bucket=self._bucket, Key=name, Body=bytes(self._buffer))

    def keep(self, key: str) -> None:
        self.prepare(key)
        self.discard()

    def discard(self) -> None:
        try:
            with suppress(FileMissing), bucket_errors(self._bucket, self._name):
                self._remove_incoming()
        except (StorageAway, StorageFull) as error:
            log.warning("left behind in the bucket", name=self._name, reason=error.message)
        self._buffer = bytearray()

    def _remove_incoming(self) -> None:
        upload, self._upload = self._upload, None
        stands, self._stands = self._stands, False
        if upload is not None:
            self._client.abort_multipart_upload(
                Bucket=self._bucket, Key=self._name, UploadId=upload
            )
        if stands:
            self._client.delete_object(Bucket=self._bucket, Key=self._name)

    def _send_part(self, part: bytes) -> None:
        with bucket_errors(self._bucket):
            if self._upload is None:
                begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._name)
                self._upload = begun["UploadId"]
            number = len(self._parts) + 1
            sent = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._name,
                UploadId=self._upload,
                PartNumber=number,
                Body=part,
            )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})
