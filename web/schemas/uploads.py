"""Uploads: files and addresses."""

from typing import Annotated

from pydantic import BaseModel, Field

from web.schemas.common import AnyUrl, Body, ExternalId
from web.schemas.jobs import JobView


class UploadByUrl(Body):
    url: AnyUrl  # in a list, each is refused by itself
    external_id: ExternalId | None = None


class BulkUploadByUrl(Body):
    items: Annotated[list[UploadByUrl], Field(min_length=1, max_length=1000)]


class MediaView(BaseModel):
    """All but `id` is known once the file is there: at once, or when fetched from its URL."""

    id: str
    sha256: str | None
    size: int | None
    mime: str | None
    width: int | None
    height: int | None
    duration: float | None = Field(description="Seconds")
    codec: str | None = Field(description="Such as h264; what a file does not tell is null")
    brand: str | None = Field(description="Of an MP4's container, such as isom")
    duplicate: bool = Field(description="The profile had this very file already")


class UploadReply(BaseModel):
    job: JobView
    media: MediaView


class ItemError(BaseModel):
    code: str
    message: str


class UploadedItem(BaseModel):
    index: int
    ok: bool
    media: MediaView | None = None
    error: ItemError | None = None


class BulkUploadReply(BaseModel):
    job: JobView
    items: list[UploadedItem]
