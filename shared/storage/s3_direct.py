"""Files that clients send straight into the bucket, as a multipart upload of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from shared.errors import Conflict, FileMissing
from shared.storage.base import DirectPart
from shared.storage.s3_errors import bucket_errors
from shared.storage.s3_multipart import IncomingObject
from shared.storage.s3_pieces import BucketPieces

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

#: Bytes of a part; the last one may have fewer.
DIRECT_PART = 16 * 1024**2
#: The name of the whole file among its owner's pieces.
_WHOLE = "whole"


class DirectObject(IncomingObject):
    """An object that is complete under a temporary name: of it nothing more is to be written.

    Nobody sends it again, so it stays until its upload has ended, whatever became of a request
    that wanted to finish it. Then it goes with all that is left of the upload.
    """

    @classmethod
    def standing(cls, client: "S3Client", bucket: str, root: str, name: str, size: int) -> Self:
        found = cls(client, bucket, root)
        found._name, found._size, found._stands = name, size, True
        return found

    def write(self, data: bytes) -> None:
        """It is there already."""

    def finish(self) -> None:
        """It is durable already."""

    def discard(self) -> None:
        """It is not this request's alone: another one may be reading it."""


class BucketDirectUploads:
    """`root`: the prefix of all names in the bucket, empty or with a slash at its end."""

    def __init__(self, client: "S3Client", bucket: str, root: str, pieces: BucketPieces) -> None:
        self._client = client
        self._bucket = bucket
        self._root = root
        self._pieces = pieces

    def begin(self, owner: str) -> str:
        with bucket_errors(self._bucket):
            name = self._pieces.object_name(owner, _WHOLE)
            begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=name)
            return begun["UploadId"]

    def sign_parts(
        self, owner: str, remote_id: str, size: int, seconds: int
    ) -> Sequence[DirectPart]:
        return [
            DirectPart(
                number=number,
                size=length,
                url=self._sign_part(owner, remote_id, number, length, seconds),
            )
            for number, length in enumerate(part_sizes(size), 1)
        ]

    def _sign_part(self, owner: str, remote_id: str, number: int, length: int, seconds: int) -> str:
        what = {
            "Bucket": self._bucket,
            "Key": self._pieces.object_name(owner, _WHOLE),
            "UploadId": remote_id,
            "PartNumber": number,
            "ContentLength": length,
        }
        return self._client.generate_presigned_url("upload_part", Params=what, ExpiresIn=seconds)

    def complete(self, owner: str, remote_id: str, size: int) -> IncomingObject:
        name = self._pieces.object_name(owner, _WHOLE)
        if self._find_size(name) is None:
            parts = self._list_parts(name, remote_id, size)
            with bucket_errors(self._bucket, name):
                self._client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=name,
                    UploadId=remote_id,
                    MultipartUpload={"Parts": parts},
                )
        return DirectObject.standing(self._client, self._bucket, self._root, name, size)

    def _find_size(self, name: str) -> int | None:
        """Of the whole file, if it was completed before."""
        try:
            with bucket_errors(self._bucket, name):
                return self._client.head_object(Bucket=self._bucket, Key=name)["ContentLength"]
        except FileMissing:
            return None

    def _list_parts(self, name: str, remote_id: str, size: int) -> "list[CompletedPartTypeDef]":
        pages = self._client.get_paginator("list_parts")
        with bucket_errors(self._bucket, name):
            found = [
                part
                for page in pages.paginate(Bucket=self._bucket, Key=name, UploadId=remote_id)
                for part in page.get("Parts", [])
            ]
        sizes = {part["PartNumber"]: part["Size"] for part in found}
        wanted = dict(enumerate(part_sizes(size), 1))
        lacking = [number for number, length in wanted.items() if sizes.get(number) != length]
        if lacking:
            listed = ", ".join(map(str, lacking[:10]))
            raise Conflict(f"These parts are not there as signed: {listed}", code="parts_missing")
        return [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in found]


def part_sizes(size: int) -> list[int]:
    """Of the parts of a file, in bytes."""
    whole, rest = divmod(size, DIRECT_PART)
    return [DIRECT_PART] * whole + ([rest] if rest else [])
