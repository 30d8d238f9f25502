"""The media of a profile, as lists and pages of one show them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from web.http_layer.pagination import PageQuery


class MediaQuery(PageQuery):
    profile: str | None = Field(None, max_length=64, description="Of those that the caller sees")
    q: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="A part of the file's name, in any case"
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="Of the file: whether it is here already"
    )
    type: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="`image`, `video`, or a MIME type such as `image/png`"
    )


class MediumView(BaseModel):
    """All but `id`, `profile_id` and times is null until a file that is given by URL is fetched."""

    id: str
    profile_id: str
    name: str | None
    sha256: str | None
    size: int | None = Field(description="Bytes")
    mime: str | None
    width: int | None
    height: int | None
    duration: float | None = Field(description="Seconds")
    codec: str | None
    brand: str | None
    created_at: datetime
    used_at: datetime = Field(description="When something last named it, to the hour")


class MediumWithUse(MediumView):
    used_by: int = Field(description="Posts that are not over and show it")
