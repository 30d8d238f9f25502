"""Pieces of files in the bucket: each is an object."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.errors import FileMissing
from shared.storage.pieces import PIECES
from shared.storage.s3_errors import bucket_errors

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class BucketPieces:
    """`root`: the prefix of all names in the bucket, empty or with a slash at its end."""

    def __init__(self, client: "S3Client", bucket: str, root: str) -> None:
        self._client = client
        self._bucket = bucket
        self._root = f"{root}{PIECES}/"

    def object_name(self, owner: str, name: str) -> str:
        return f"{self._root}{owner}/{name}"

    def put(self, owner: str, name: str, content: bytes) -> None:
        with bucket_errors(self._bucket):
            self._client.put_object(
                Bucket=self._bucket, Key=self.object_name(owner, name), Body=content
            )

    def read(self, owner: str, name: str) -> bytes:
        with bucket_errors(self._bucket, f"{owner}/{name}"):
            found = self._client.get_object(Bucket=self._bucket, Key=self.object_name(owner, name))
            return found["Body"].read()

    def remove(self, owner: str, name: str) -> None:
        with bucket_errors(self._bucket):
            self._client.delete_object(Bucket=self._bucket, Key=self.object_name(owner, name))

    def remove_all(self, owner: str) -> None:
        """Files that were being sent straight into the bucket too."""
        prefix = self.object_name(owner, "")
        for name, upload_id in list(self._list_uploads(prefix)):
            with suppress(FileMissing), bucket_errors(self._bucket, name):
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=name, UploadId=upload_id
                )
        for name in list(self._list_objects(prefix)):
            with bucket_errors(self._bucket):
                self._client.delete_object(Bucket=self._bucket, Key=name)

    def owners(self) -> Iterator[str]:
        names = [*self._list_objects(self._root), *dict(self._list_uploads(self._root))]
        yield from dict.fromkeys(name.removeprefix(self._root).split("/")[0] for name in names)

    def _list_objects(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        with bucket_errors(self._bucket):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield found["Key"]

    def _list_uploads(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Each with its id."""
        pages = self._client.get_paginator("list_multipart_uploads")
        with bucket_errors(self._bucket):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for found in page.get("Uploads", []):
                    yield found["Key"], found["UploadId"]
