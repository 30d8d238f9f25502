"""What the tools take. Names are those of the API; a key of several profiles names one."""

from typing import Annotated

from pydantic import AliasChoices, Field

from shared.domain.publishing.states import PostState
from shared.intake.schemas import BulkPublishRequest
from web.schemas.common import Body
from web.schemas.control import WhichPosts, WhichToRetry
from web.schemas.jobs import PatchPost
from web.schemas.uploads import UploadByUrl

ProfileId = Annotated[
    str | None,
    Field(description="Needed only by a key that is bound to several profiles, or to none"),
]


class OfProfile(Body):
    profile_id: ProfileId = None


class ToUpload(UploadByUrl):
    profile_id: ProfileId = None


class ToPlan(BulkPublishRequest):
    profile_id: ProfileId = None


class PlanId(Body):
    plan_id: Annotated[str, Field(max_length=200, description="From plan_posts")]


class WhichList(Body):
    job_id: str | None = Field(None, description="Only the posts of this job")
    profile_id: ProfileId = None
    state: PostState | None = None
    integration_id: str | None = None
    error_code: str | None = None
    since: str | None = Field(None, alias="from", description="Due then or later (ISO 8601)")
    until: str | None = Field(None, alias="to", description="Due before then (ISO 8601)")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = Field(None, description="`next_cursor` of the answer before")


_PostId = Annotated[str, Field(validation_alias=AliasChoices("post_id", "id"))]


class PostId(Body):
    post_id: _PostId


class JobId(Body):
    job_id: Annotated[str, Field(validation_alias=AliasChoices("job_id", "id"))]


class ToEdit(PatchPost):
    post_id: _PostId


class ToCancel(WhichPosts):
    dry_run: bool = Field(default=False, description="Only say what would be cancelled")


class ToRetry(WhichToRetry):
    dry_run: bool = Field(default=False, description="Only say what would be tried again")
