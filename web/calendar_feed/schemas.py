"""Links to a calendar of posts."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from web.http_layer.pagination import Query
from web.http_layer.shown_once import ShownOnce
from web.schemas.common import Name, NullIsAbsent


class NewCalendarLink(NullIsAbsent):
    profile_id: str | None = Field(
        None, description="Whose posts; without it the header's profile, else all that you may see"
    )
    name: Name = Field("calendar", description="Who gets it")


class CalendarLinkView(BaseModel):
    id: str
    name: str
    profile_ids: list[str] | None = Field(description="Whose posts; null: those of all profiles")
    user_id: str | None = Field(
        description="Of the person who made it: it shows of these what they may see at the moment"
    )
    expires_at: datetime | None = Field(description="When the key that made it ends")
    read: int = Field(description="How often it was read")
    last_read_at: datetime | None
    created_at: datetime


class CreatedCalendarLink(CalendarLinkView):
    url: ShownOnce


class FeedQuery(Query):
    token: Annotated[str, Field(min_length=1, max_length=200)]
