"""People who sign in, and their own sessions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from web.http_layer.shown_once import ShownOnce
from web.schemas.common import Body, Flag, Name

Role = Literal["viewer", "publisher", "manager", "admin"]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
ProfileIds = Annotated[list[str], Field(min_length=1, max_length=1000)] | None
Secret = Annotated[str, Field(min_length=1, max_length=1000)]


class NewUser(Body):
    email: Email
    name: Name
    role: Role
    profile_ids: ProfileIds = Field(None, description="null: every profile")


class UserPatch(Body):
    """What is given is changed; for `profile_ids`, null means every profile."""

    name: Name = ""
    role: Role = "viewer"
    profile_ids: ProfileIds = None
    disabled: Flag = False
    reset_second_factor: Flag = Field(False, description="true: they enrol anew")


class UserView(BaseModel):
    id: str
    email: str
    name: str
    role: str
    profile_ids: list[str] | None
    disabled: bool
    has_password: bool
    has_second_factor: bool
    last_signed_in_at: datetime | None
    created_at: datetime


class InvitedUser(UserView):
    link: ShownOnce
    link_valid_until: datetime


class OwnKey(BaseModel):
    id: str
    name: str
    profile_ids: list[str] | None


class OwnSession(BaseModel):
    user: UserView | None = Field(description="null where a key has signed in")
    signed_in_key: OwnKey | None = Field(
        None, description="The key that has signed in, in place of a person"
    )
    scopes: list[str]
    second_factor: Literal["not_needed", "given", "needed", "to_be_enrolled"]
    csrf_token: str = Field(description="For the header X-CSRF-Token of requests that change")
    ends_at: datetime


class NewPassword(Body):
    current_password: Secret
    new_password: Secret
