"""Every error that Pressroom raises on purpose; its class decides what follows.

PressroomError
├── InvalidRequest · NotFound · Conflict · NotConfigured · Forbidden   mistakes of the caller
├── Gone · VersionRefused · ChecksumMismatch                    mistakes with an upload in parts
├── Unprocessable · TooLarge · UnsupportedMedia                 understood, but cannot be published
├── Unavailable                                             a problem of ours: try again later
├── SecretUnreadable                                        sealed with a key that we do not have
├── IllegalTransition · ClaimLost                           another process moved the row
└── PublisherError                                          the result of a call to Postiz
    ├── Transient            nothing happened, for certain: retry with backoff and jitter
    │   ├── RateLimited      wait until then; costs no attempt
    │   ├── SettingsChanged  the publisher is outdated: build a new one; costs no attempt
    │   ├── Paused           the user paused it at the last moment; costs no attempt
    │   ├── ProfileGone      the profile was deleted meanwhile; costs no attempt
    │   ├── NoFreeMoment     no millisecond of the calendar is free; costs an attempt
    │   └── WrongBaseUrl     this address is not the Postiz API: find its base path again
    ├── Permanent            retrying cannot help
    │   ├── PostRejected     this post: it fails, with Postiz's message
    │   ├── CredentialsRejected   the account: hold its posts until the settings change
    │   └── SettingsUnusable      the profile: hold its posts until its settings can be used
    ├── Defect               unexpected, and nothing was sent: the post or account waits
    └── OutcomeUnknown       it may have happened: reconcile, never repeat
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

HOW_TO_CONFIGURE = (
    "This profile has no Postiz credentials. Set them with PATCH /api/v1/profiles/{id} "
    '{{"tts_settings": {{"postiz": {{"api_url": "…", "api_key": "…"}}}}}}, or set a '
    "default for the whole installation with the environment variables POSTIZ_API_URL and "
    "POSTIZ_API_KEY, which the profile may use if environment_allowed is true."
)


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """What is wrong with one field; `field` is a dotted path such as `items.3.caption`.

    `row`: its number in a request with many rows, from 0. `remedy`: a sentence that says what to
    do.
    """

    field: str
    message: str
    code: str = "invalid"
    row: int | None = None
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The counted calls of a window, as a reply reported them."""

    limit: int
    remaining: int
    resets_at: datetime


class PressroomError(Exception):
    """The root of all. `code` names the kind for programs, `hint` says what a person can do."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint


class RequestError(PressroomError):
    """The request cannot be done as asked; `fields` names the faulty parts."""

    def __init__(
        self, message: str, *, code: str | None = None, fields: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(message, code=code)
        self.fields = tuple(fields)


class InvalidRequest(RequestError):
    code = "invalid_request"


class NotFound(RequestError):
    code = "not_found"


class Conflict(RequestError):
    code = "conflict"


class NotConfigured(RequestError):
    code = "not_configured"


class Forbidden(RequestError):
    code = "forbidden"


class QuotaExceeded(Forbidden):
    """The profile has as much as it may have; `fields` names the quota."""

    code = "quota_exceeded"


class Unauthorized(RequestError):
    code = "unauthorized"


class Unprocessable(RequestError):
    code = "not_publishable"


class TooLarge(RequestError):
    code = "too_large"


class UnsupportedMedia(RequestError):
    code = "unsupported_media"


class Gone(RequestError):
    """It was there, and ended by its time."""

    code = "gone"


class VersionRefused(RequestError):
    """Another version of the protocol of resumable uploads, or none."""

    code = "tus_version"


class ChecksumMismatch(RequestError):
    """What came is not what was sent: nothing of it is kept."""

    code = "checksum_mismatch"


class Unavailable(PressroomError):
    """Something that we need is away; the same request may succeed in `retry_after` seconds."""

    code = "unavailable"

    def __init__(self, message: str, *, code: str | None = None, retry_after: int = 5) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class SecretUnreadable(PressroomError):
    """A stored secret that none of our keys opens."""

    code = "secret_unreadable"


class TooManyRequests(Unavailable):
    """The caller itself asked too often, or for too much at once; others may go on."""

    code = "rate_limited"


class UploadBusy(Unavailable):
    """Another request is sending to the same upload."""

    code = "upload_busy"


class StorageFull(Unavailable):
    code = "storage_full"


class StorageAway(Unavailable):
    """The storage does not answer, or refuses us."""

    code = "storage_away"


class FileMissing(NotFound):
    """According to its row the storage has the file, but the storage does not have it."""

    code = "file_missing"


class IllegalTransition(PressroomError):
    code = "illegal_transition"


class ClaimLost(PressroomError):
    """The row was moved, or claimed by another, after we claimed it: stop and change nothing."""

    code = "claim_lost"


class PublisherError(PressroomError):
    """The result of a call to Postiz; `status`, `budget`: of its reply, if there was one."""

    code = "postiz_error"
    status: int | None = None
    budget: Budget | None = None


class Transient(PublisherError):
    code = "postiz_unavailable"


class RateLimited(Transient):
    code = "rate_limited"

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class SettingsChanged(Transient):
    code = "settings_changed"


class Paused(Transient):
    code = "paused"


class ProfileGone(Transient):
    code = "profile_gone"


class NoFreeMoment(Transient):
    """Every millisecond that was tried is taken: nothing was sent, and it counts as an attempt."""

    code = "no_free_millisecond"


class WrongBaseUrl(Transient):
    code = "not_the_postiz_api"


class Permanent(PublisherError):
    code = "postiz_refused"


class PostRejected(Permanent):
    """Postiz refused what was sent. If Postiz said it: `index`, the faulty element of the call, and
    `channel_id`, an integration that it does not have."""

    code = "rejected_by_postiz"

    def __init__(
        self,
        message: str,
        *,
        index: int | None = None,
        channel_id: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.index = index
        self.channel_id = channel_id


class CredentialsRejected(Permanent):
    """The account may not publish; `code`: credentials_rejected, plan_limit, postiz_too_old."""

    code = "credentials_rejected"


class SettingsUnusable(Permanent):
    """Nothing can be sent with the settings that the profile has in `version`.

    `code`: secret_unreadable, not_configured, or why the address may not be called.
    """

    code = "settings_unusable"

    def __init__(self, why: PressroomError, *, profile_id: str, version: int) -> None:
        super().__init__(why.message, code=why.code, hint=why.hint)
        self.profile_id = profile_id
        self.version = version


class Defect(PublisherError):
    """An unexpected error before anything was sent.

    If something may have been sent, it is an `OutcomeUnknown` with the same code.
    """

    code = "internal_error"


class OutcomeUnknown(PublisherError):
    code = "outcome_unknown"
