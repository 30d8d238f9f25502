"""Profiles and their Postiz credentials."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared.http_address import parse_postiz_address
from web.auth import PROFILE_ID
from web.schemas.common import AnyUrl, Body, Flag, Name, Whole

_MASK = "•"


def _api_url(value: str) -> str:
    """A bare host is meant as an https address."""
    value = value.strip(" ")
    parse_postiz_address(value)
    return value if "://" in value else f"https://{value}"


def _api_key(value: str) -> str:
    if _MASK in value:
        raise ValueError("is the masked key of a reply: send the whole key, or leave it out")
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError("must be printable ASCII without spaces")
    return value


def _profile_id(value: str) -> str:
    if not PROFILE_ID.fullmatch(value):
        raise ValueError("must be 1 to 64 letters, digits, - and _, and start with none of those")
    return value


ApiUrl = Annotated[AnyUrl, AfterValidator(_api_url)]
ApiSecret = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_api_key)]
ProfileId = Annotated[str, AfterValidator(_profile_id)]


class PostizCredentials(Body):
    """Both or neither: one alone is refused."""

    api_url: ApiUrl
    api_key: ApiSecret


class TtsSettings(BaseModel):
    """`postiz`, and whatever else the profile's owner keeps here."""

    model_config = ConfigDict(extra="allow")

    postiz: PostizCredentials | None = Field(
        None, description="null: use the credentials of the environment, where that is allowed"
    )

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


EnvironmentAllowed = Annotated[
    Flag | None,
    Field(
        description="Whether it may use the credentials of the environment while it has none of "
        "its own; only an admin key that is bound to no profile sets it"
    ),
]


RequiresApproval = Annotated[
    Flag | None,
    Field(
        description="Whether all posts that are accepted for it from now on wait for a person's "
        "approval; what is not given stays"
    ),
]
QuotaNumber = Annotated[Whole, Field(ge=0, le=2**53)] | None


class OwnQuotas(Body):
    """What is not named stays; null: the installation's default."""

    media_bytes: QuotaNumber = None
    open_posts: QuotaNumber = None
    schedules: QuotaNumber = None
    open_uploads: QuotaNumber = None
    requests_per_minute: Annotated[Whole, Field(ge=1, le=10**9)] | None = None


DuplicateWindow = Annotated[
    Whole,
    Field(
        ge=0,
        le=24 * 366,
        description="Within so many hours the same text and media on the same channel count as a "
        "duplicate; 0: never",
    ),
]


class NewProfile(Body):
    id: ProfileId | None = None
    name: Name
    description: str | None = None
    tts_settings: TtsSettings | None = None
    environment_allowed: EnvironmentAllowed = None
    duplicate_window_hours: DuplicateWindow = 24
    requires_approval: RequiresApproval = None


class PutProfile(Body):
    name: Name
    description: str | None = None
    requires_approval: RequiresApproval = None


class PatchProfile(Body):
    """What is not named stays; `tts_settings` merges at the top level."""

    name: Name | None = None
    description: str | None = None
    tts_settings: TtsSettings | None = None
    environment_allowed: EnvironmentAllowed = None
    duplicate_window_hours: DuplicateWindow | None = None
    requires_approval: RequiresApproval = None
    quotas: OwnQuotas | None = Field(
        None, description="Only an admin key that is bound to no profile sets them"
    )

    @model_validator(mode="after")
    def _has_a_name(self) -> "PatchProfile":
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("name must not be null")
        return self


class ValidateCredentials(Body):
    """Without `api_key`, the saved credentials are tried; `api_url` alone is refused."""

    api_url: ApiUrl | None = None
    api_key: ApiSecret | None = None

    @model_validator(mode="after")
    def _never_sends_a_saved_key_elsewhere(self) -> "ValidateCredentials":
        if self.api_url is not None and self.api_key is None:
            raise ValueError("api_url needs its api_key: a saved key is sent to its own URL only")
        return self


class PostizCheck(BaseModel):
    ok: bool
    detail: str


class HoldView(BaseModel):
    """Why nothing is sent for a profile, and what to do about it."""

    reason: str
    message: str
    hint: str
    since: datetime


class QuotaView(BaseModel):
    limit: int
    used: int


class QuotasView(BaseModel):
    """How much the profile may have or ask, and how much of it is used."""

    media_bytes: QuotaView = Field(description="Of files that are kept or still coming")
    open_posts: QuotaView = Field(description="Accepted, and not in Postiz with a time yet")
    schedules: QuotaView
    open_uploads: QuotaView = Field(description="Resumable or direct ones that are not finished")
    requests_per_minute: QuotaView


class EffectView(BaseModel):
    """How the other processes took new settings.

    No call with old settings begins once they are saved: each asks for their version first. Besides
    all processes are told, drop what they keep of the old ones, and say so.
    """

    processes: int = Field(description="That were told: web processes and workers")
    confirmed: int = Field(description="That said so within half a second")
    milliseconds: float = Field(description="From the saving to the last of these answers")


class ProfileView(BaseModel):
    id: str
    name: str
    description: str | None
    tts_settings: dict[str, Any] = Field(description="The Postiz key is masked")
    environment_allowed: bool = Field(
        description="It may use the credentials of the environment while it has none of its own"
    )
    account_id: str | None
    duplicate_window_hours: int
    paused: bool
    requires_approval: bool = Field(description="Of all posts that are accepted for it")
    deleting_since: datetime | None = Field(
        description="It is being deleted, and takes nothing new"
    )
    holds: list[HoldView] = Field(description="Why nothing is sent, until the settings change")
    created_at: datetime
    updated_at: datetime
    postiz_check: PostizCheck | None = Field(
        None, description="What trying the new credentials came to; only where they changed"
    )
    in_effect: EffectView | None = Field(
        None, description="Only where settings that calls need were changed"
    )
    quotas: QuotasView | None = Field(None, description="null in lists, and where it was changed")


class CredentialsView(BaseModel):
    source: str = Field(description="profile, environment or none")
    api_url: str | None
    api_key: str | None = Field(description="Masked")


class UnusableCredentialsView(CredentialsView):
    """With `detail` where they cannot be used."""

    detail: str = Field(description="Why, and what to do")


class IntegrationView(BaseModel):
    id: str
    name: str
    identifier: str
    picture: str | None
    disabled: bool
    profile: str | None


class ChannelView(IntegrationView):
    """A channel, and whether it can publish. Posts of one that cannot wait for it."""

    state: Literal["ready", "disabled", "reconnect_needed", "gone"] = "ready"
    since: datetime | None = Field(None, description="Of a state other than ready")
    reason: str | None = Field(None, description="Why it is not ready, in words")


class ValidationView(BaseModel):
    ok: bool
    base_url: str | None
    integrations: list[IntegrationView] | None
    detail: str
