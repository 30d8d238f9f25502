"""What each error means to an upload: pure."""

from shared.errors import (
    CredentialsRejected,
    Defect,
    OutcomeUnknown,
    PressroomError,
    PublisherError,
    SettingsUnusable,
    StorageAway,
    StorageFull,
    Transient,
    Unavailable,
)

#: What says nothing about the account, and counts as an attempt: it may be the file after all.
OF_THE_FILE = frozenset({"unfetchable", "cut_short", Defect.code})


def is_account_error(error: PressroomError) -> bool:
    return isinstance(error, PublisherError) and error.code not in OF_THE_FILE


def is_harmless(error: PressroomError) -> bool:
    return isinstance(error, OutcomeUnknown)


def is_final(error: PressroomError) -> bool:
    """Whether another try of the same file must end the same way."""
    passing = Transient | Unavailable | CredentialsRejected | SettingsUnusable | Defect
    return not isinstance(error, passing) and not is_harmless(error)


def is_outage(error: PressroomError) -> bool:
    """It says nothing about the file, and so costs no attempt."""
    ours = isinstance(error, StorageAway | StorageFull | SettingsUnusable)
    return ours or (isinstance(error, Transient) and error.code not in OF_THE_FILE)


def retry_wait_seconds(error: PressroomError) -> float:
    """Seconds before which another try is in vain."""
    return float(error.retry_after) if isinstance(error, Unavailable) else 0.0
