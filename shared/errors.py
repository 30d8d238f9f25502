"""Every error that Pressroom raises on purpose: the class is the policy.

PressroomError
├── InvalidRequest · NotFound · Conflict · NotConfigured · Forbidden   what the caller did wrong
├── Unprocessable · TooLarge · UnsupportedMedia                 understood, not publishable
├── Unavailable                                             ours to mend: try again later
├── SecretUnreadable                                        sealed with a key that is not ours
├── IllegalTransition · ClaimLost                           somebody else moved the row
└── PublisherError                                          what Postiz answered
    ├── Transient            certainly nothing happened: retry with backoff and jitter
    │   ├── RateLimited      wait until; costs no attempt
    │   ├── SettingsChanged  newer than the publisher: build it anew; costs no attempt
    │   ├── Paused           the user held it back at the last moment; costs no attempt
    │   ├── ProfileGone      a person deleted it in the meantime; costs no attempt
    │   ├── NoFreeMoment     no millisecond of the calendar is free; costs an attempt
    │   └── WrongBaseUrl     this address is not the Postiz API: look for its base path again
    ├── Permanent            retrying cannot help
    │   ├── PostRejected     this post: failed, with Postiz's words
    │   ├── CredentialsRejected   the account: hold its posts until the settings change
    │   └── SettingsUnusable      the profile: hold its posts until its settings can be used
    ├── Defect               nobody foresaw it, and nothing was sent: what it is about waits
    └── OutcomeUnknown       it may have happened: reconcile, never repeat
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

HOW_TO_CONFIGURE = (
    "This profile has no Postiz credentials. Set them with PATCH /api/v1/profiles/{id} "
    '{{"tts_settings": {{"postiz": {{"api_url": "…", "api_key": "…"}}}}}}, or give the whole '
    "installation a default with the environment variables POSTIZ_API_URL and POSTIZ_API_KEY."
)


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """What is wrong with one field; `field` is a dotted path such as `items.3.caption`.

    `row`: of a request of many, counted from 0. `remedy`: a sentence that says what to do.
    """

    field: str
    message: str
    code: str = "invalid"
    row: int | None = None
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Counted calls of a window, as a reply told them."""

    limit: int
    remaining: int
    resets_at: datetime


class PressroomError(Exception):
    """Root of all. `code` names the kind for programs, `hint` says what a person can do."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint


class RequestError(PressroomError):
    """The request cannot be done as asked; `fields` names the parts at fault."""

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


class Unauthorized(RequestError):
    code = "unauthorized"


class Unprocessable(RequestError):
    code = "not_publishable"


class TooLarge(RequestError):
    code = "too_large"


class UnsupportedMedia(RequestError):
    code = "unsupported_media"


class Unavailable(PressroomError):
    """Something that we need is away; the same request may go through in `retry_after` seconds."""

    code = "unavailable"

    def __init__(self, message: str, *, code: str | None = None, retry_after: int = 5) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class SecretUnreadable(PressroomError):
    """A stored secret that none of our keys opens."""

    code = "secret_unreadable"


class StorageFull(Unavailable):
    code = "storage_full"


class StorageAway(Unavailable):
    """Nobody answers there, or we are refused."""

    code = "storage_away"


class FileMissing(NotFound):
    """A row says that the storage has it, and the storage does not."""

    code = "file_missing"


class IllegalTransition(PressroomError):
    code = "illegal_transition"


class ClaimLost(PressroomError):
    """The row was moved, or claimed by another, since we claimed it: stop, and change nothing."""

    code = "claim_lost"


class PublisherError(PressroomError):
    """What came of a call to Postiz; `status`, `budget`: of its reply, if there was one."""

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
    """Postiz refused what was sent. `index`: the element of the call at fault, if it said."""

    code = "rejected_by_postiz"

    def __init__(self, message: str, *, index: int | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.index = index


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
    """An error that nobody foresaw, before anything was sent. Where something may have been, it is
    an `OutcomeUnknown` of the same code."""

    code = "internal_error"


class OutcomeUnknown(PublisherError):
    code = "outcome_unknown"
