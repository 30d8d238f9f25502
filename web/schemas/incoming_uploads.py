"""Uploads over several requests: resumable ones, and those straight into a bucket."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.networks.limits import VIDEO_BYTES
from shared.intake.fields import Body, ExternalId, Whole


class TusHeaders(BaseModel):
    """Of every request of the protocol but `GET` and `OPTIONS`."""

    model_config = ConfigDict(extra="ignore")

    version: str | None = Field(None, alias="Tus-Resumable", description="1.0.0")


class CreationHeaders(TusHeaders):
    length: int | None = Field(None, alias="Upload-Length", ge=0, description="Bytes of the file")
    metadata: str | None = Field(
        None,
        alias="Upload-Metadata",
        max_length=4096,
        description="`filename` and `external_id`, each with its value in Base64; others are kept",
    )
    checksum: str | None = Field(None, alias="Upload-Checksum", max_length=200)


class PatchHeaders(TusHeaders):
    offset: int = Field(alias="Upload-Offset", ge=0, description="As the last answer told it")
    checksum: str | None = Field(
        None, alias="Upload-Checksum", max_length=200, description="`sha1` or `sha256`, and Base64"
    )


class OverrideHeaders(TusHeaders):
    """Besides those of the method that is meant."""

    method: str | None = Field(
        None, alias="X-Http-Method-Override", description="`PATCH` or `DELETE`"
    )


class IncomingUploadView(BaseModel):
    """A resumable upload; `media_id` once it is a medium."""

    id: str
    profile_id: str
    size: int
    offset: int
    name: str | None
    external_id: str | None
    expires_at: datetime
    media_id: str | None
    job_id: str | None


class NewDirectUpload(Body):
    size: Annotated[Whole, Field(ge=1, le=VIDEO_BYTES, description="Bytes")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    mime: Annotated[str, Field(max_length=100, description="As image/png or video/mp4")]
    filename: Annotated[str, Field(max_length=255)] | None = None
    external_id: ExternalId | None = None


class DirectPartView(BaseModel):
    number: int
    size: int = Field(description="Bytes")
    url: str = Field(description="Takes one PUT with exactly these bytes, without our key")


class DirectUploadView(BaseModel):
    id: str
    expires_at: datetime
    parts: list[DirectPartView]
