"""Keys of this API."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from web.schemas.common import Body, IsoTime, Name

Scope = Literal["read", "publish", "settings", "admin"]


class NewKey(Body):
    name: Name
    profile_ids: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="null: every profile"
    )
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_at: IsoTime | None = None


class KeyView(BaseModel):
    id: str
    name: str
    profile_ids: list[str] | None
    scopes: list[str]
    expires_at: datetime | None
    created_at: datetime


class CreatedKey(KeyView):
    key: str = Field(description="Shown this once")
