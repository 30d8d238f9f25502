"""The audit trail."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from web.http_layer.pagination import PageQuery
from web.schemas.common import IsoTime

RowId = Annotated[str, Field(pattern="^[1-9][0-9]{0,17}$")]


class AuditQuery(PageQuery):
    profile: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="About this profile, whichever others too"
    )
    key_id: RowId | None = Field(
        None, alias="key", description="The id of the key that made the change"
    )
    user_id: RowId | None = Field(
        None, alias="user", description="The id of the person who made the change"
    )
    since: IsoTime | None = Field(None, description="Then or later")
    until: IsoTime | None = Field(None, description="Before then")


class ActorView(BaseModel):
    kind: str = Field(description="key, user: a person, or approval_link: whoever has it")
    id: str
    name: str = Field(description="As it was then; a person's is their email")


class AuditEntryView(BaseModel):
    """A change. Values are never part of it."""

    id: str
    at: datetime
    actor: ActorView
    method: str
    route: str
    operation: str
    targets: dict[str, str] = Field(description="The ids of what was changed or made, by kind")
    fields: list[str] = Field(description="What the request named, without values")
    profile_ids: list[str] | None = Field(description="null: the whole installation")
    address: str
    user_agent: str
    request_id: str
    refused: int | None = Field(
        description="The status of the answer, where the request was refused after a part was done"
    )
