"""Translates the errors of a bucket into our own."""

from collections.abc import Iterator
from contextlib import contextmanager

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import PressroomError, StorageAway, StorageFull
from shared.storage.base import missing_file_error

#: AWS itself is never full; MinIO, Ceph and others report it with one of these codes.
_FULL = frozenset({"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "StorageFull"})
_MISSING = frozenset({"NoSuchKey", "NoSuchUpload", "404", "NotFound"})


@contextmanager
def bucket_errors(bucket: str, key: str | None = None) -> Iterator[None]:
    """Raises `StorageFull`, `StorageAway`, or `FileMissing` if `key` is not there."""
    try:
        yield
    except ClientError as error:
        raise _translate_error(error, bucket, key) from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageAway(f"The bucket {bucket} cannot be reached: {error}") from error


def _translate_error(error: ClientError, bucket: str, key: str | None) -> PressroomError:
    code = error.response.get("Error", {}).get("Code", "?")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if key is not None and code in _MISSING:
        return missing_file_error(key)
    if code in _FULL or status == 507:
        return StorageFull(f"The bucket {bucket} is full", retry_after=60)
    return StorageAway(f"The bucket {bucket} refused: {code}", retry_after=30)
