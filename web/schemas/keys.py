"""Keys of this API."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from web.http_layer.shown_once import ShownOnce
from web.schemas.common import Body, Flag, IsoTime, Name, Whole

Scope = Literal["read", "publish", "approve", "settings", "admin"]
A_DAY, A_WEEK = 86_400, 604_800


class NewKey(Body):
    name: Name
    profile_ids: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="null: every profile"
    )
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_at: IsoTime | None = Field(
        None, description="null: never, or when the key that makes it does"
    )
    requires_approval: Flag = Field(
        default=False,
        description="Each post that is accepted from it waits for a person; so it has neither the "
        "scope approve, settings nor admin",
    )


class RotateKey(Body):
    overlap_seconds: Annotated[Whole, Field(ge=0, le=A_WEEK)] = Field(
        A_DAY, description="For so long the earlier key works too; 0 ends it at once"
    )


class KeyView(BaseModel):
    id: str
    name: str
    profile_ids: list[str] | None
    scopes: list[str]
    requires_approval: bool = Field(description="Of all posts that are accepted from it")
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To within five minutes; null: never")
    old_key_until: datetime | None = Field(
        description="Until when a key that was rotated out works too"
    )
    created_at: datetime


class CreatedKey(KeyView):
    key: ShownOnce
