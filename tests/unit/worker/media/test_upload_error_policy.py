"""What each error means to an upload, as a table."""

import pytest

from shared.errors import (
    CredentialsRejected,
    FileMissing,
    OutcomeUnknown,
    PressroomError,
    StorageAway,
    StorageFull,
    TooLarge,
    Transient,
    UnsupportedMedia,
)
from worker.media import upload_error_policy

OF_THE_SOURCE = Transient("its server broke off", code="unfetchable")


@pytest.mark.parametrize(
    ("error", "for_good", "outage", "of_the_account"),
    [
        (Transient("Postiz is away"), False, True, True),
        (OutcomeUnknown("no answer"), False, False, True),
        (CredentialsRejected("a new key"), False, False, True),
        (OF_THE_SOURCE, False, False, False),
        (StorageAway("the bucket is away"), False, True, False),
        (StorageFull("the disk is full"), False, True, False),
        (FileMissing("it is gone"), True, False, False),
        (TooLarge("too large"), True, False, False),
        (UnsupportedMedia("words"), True, False, False),
    ],
)
def test_an_error_tells_who_is_to_blame(
    error: PressroomError, for_good: bool, outage: bool, of_the_account: bool
) -> None:
    assert upload_error_policy.is_final(error) is for_good
    assert upload_error_policy.is_outage(error) is outage
    assert upload_error_policy.is_account_error(error) is of_the_account


def test_a_storage_that_is_away_is_given_time() -> None:
    assert upload_error_policy.retry_wait_seconds(StorageFull("full", retry_after=60)) == 60
    assert upload_error_policy.retry_wait_seconds(OF_THE_SOURCE) == 0
