"""The storage in an S3-compatible bucket, for web and workers on more than one machine."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from shared.errors import FileMissing, PressroomError
from shared.storage.base import ABANDONED_SECONDS, Stored, require_key
from shared.storage.pieces import PIECES
from shared.storage.s3_direct import BucketDirectUploads
from shared.storage.s3_errors import bucket_errors
from shared.storage.s3_multipart import INCOMING, IncomingObject
from shared.storage.s3_pieces import BucketPieces
from shared.storage.s3_reading import open_object

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

#: Many compatible servers do not know botocore's default checksums. `standard` tries each call
#: three times, and all our calls may be repeated.
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=20,
    retries={"mode": "standard"},
    tcp_keepalive=True,
    signature_version="s3v4",  # of signed addresses too
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class BucketStorage:
    """Thread-safe. Credentials, region and endpoint come from the usual `AWS_…` variables."""

    def __init__(self, client: "S3Client", bucket: str, *, prefix: str = "") -> None:
        self.client = client
        self.bucket = bucket
        self.root = f"{prefix}/" if prefix else ""
        self.pieces = BucketPieces(client, bucket, self.root)
        self.direct = BucketDirectUploads(client, bucket, self.root, self.pieces)

    @classmethod
    def connect(cls, bucket: str, *, prefix: str = "") -> Self:
        """Raises `PressroomError` for settings from which no client can be made."""
        try:
            client = boto3.session.Session().client("s3", config=_CONFIG)
        except (BotoCoreError, ValueError) as error:
            raise PressroomError(f"The AWS_… settings: {error}", code="bad_setting") from error
        return cls(client, bucket, prefix=prefix)

    def receive(self) -> "IncomingObject":
        return IncomingObject(self.client, self.bucket, self.root)

    def open(self, key: str) -> BinaryIO:
        name, size = self.name(key), self.size(key)
        return open_object(self.client, self.bucket, name, size=size)

    def size(self, key: str) -> int:
        with bucket_errors(self.bucket, key):
            return self.client.head_object(Bucket=self.bucket, Key=self.name(key))["ContentLength"]

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except FileMissing:
            return False
        return True

    def delete(self, key: str) -> None:
        with bucket_errors(self.bucket):
            self.client.delete_object(Bucket=self.bucket, Key=self.name(key))

    def stored(self) -> Iterator[Stored]:
        for name, modified_at in self._list_objects(self.root):
            key = name.removeprefix(self.root)
            if key.count("/") == 2 and not key.startswith(f"{PIECES}/"):
                yield Stored(key=key, modified_at=modified_at)

    def remove_abandoned(self, *, idle_seconds: float = ABANDONED_SECONDS) -> None:
        """Complete files that were not kept, and parts of uploads that are not continued."""
        before = datetime.now(UTC) - timedelta(seconds=idle_seconds)
        for name, modified_at in self._list_objects(self.root + INCOMING):
            if modified_at < before:
                with bucket_errors(self.bucket):
                    self.client.delete_object(Bucket=self.bucket, Key=name)
        for name, upload_id, begun_at in self._list_uploads():
            if begun_at < before and not self._is_still_receiving(name, upload_id, before):
                self.abort(name, upload_id)

    def name(self, key: str) -> str:
        return self.root + require_key(key)

    def abort(self, name: str, upload_id: str) -> None:
        """If it is already gone, that is as good: its process was faster."""
        with suppress(FileMissing), bucket_errors(self.bucket, name):
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=name, UploadId=upload_id)

    def _list_objects(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        pages = self.client.get_paginator("list_objects_v2")
        with bucket_errors(self.bucket):
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield found["Key"], found["LastModified"]

    def _list_uploads(self) -> Iterator[tuple[str, str, datetime]]:
        pages = self.client.get_paginator("list_multipart_uploads")
        with bucket_errors(self.bucket):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.root + INCOMING):
                for found in page.get("Uploads", []):
                    yield found["Key"], found["UploadId"], found["Initiated"]

    def _is_still_receiving(self, name: str, upload_id: str, before: datetime) -> bool:
        pages = self.client.get_paginator("list_parts")
        with bucket_errors(self.bucket):
            return any(
                part["LastModified"] >= before
                for page in pages.paginate(Bucket=self.bucket, Key=name, UploadId=upload_id)
                for part in page.get("Parts", [])
            )
