"""What each error means for an upload. Pure functions."""

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

#: Errors that may be caused by the file: they do not concern the account, and count as attempts.
OF_THE_FILE = frozenset({"unfetchable", "cut_short", Defect.code})


def is_account_error(error: PressroomError) -> bool:
    return isinstance(error, PublisherError) and error.code not in OF_THE_FILE


def is_harmless(error: PressroomError) -> bool:
    return isinstance(error, OutcomeUnknown)


def is_final(error: PressroomError) -> bool:
    """Whether another attempt with the same file would certainly fail too."""
    passing = Transient | Unavailable | CredentialsRejected | SettingsUnusable | Defect
    return not isinstance(error, passing) and not is_harmless(error)


def is_outage(error: PressroomError) -> bool:
    """Whether the error is not about the file, and so does not count as an attempt."""
    ours = isinstance(error, StorageAway | StorageFull | SettingsUnusable)
    return ours or (isinstance(error, Transient) and error.code not in OF_THE_FILE)


def retry_wait_seconds(error: PressroomError) -> float:
    """Seconds to wait at least before the next attempt."""
    return float(error.retry_after) if isinstance(error, Unavailable) else 0.0
