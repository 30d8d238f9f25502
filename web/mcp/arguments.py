"""What the tools take. Names are those of the API; a key of several profiles names one."""

from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from shared.domain.publishing.states import PostState
from shared.errors import NotFound
from shared.intake.schemas import BulkPublishRequest
from web.auth import PROFILE_ID
from web.schemas.common import Body, IsoTime
from web.schemas.control import WhichPosts
from web.schemas.jobs import PatchPost
from web.schemas.uploads import UploadByUrl

#: It goes into a header.
ProfileId = Annotated[
    Annotated[str, Field(pattern=f"^{PROFILE_ID.pattern}$")] | None,
    Field(description="Needed only by a key that is bound to several profiles, or to none"),
]


def _require_one_step(given: str) -> str:
    """It goes into a path, where a slash in it would lead to something else."""
    if "/" in given:
        raise NotFound(f"There is nothing with the id {given!r}")
    return given


_Id = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_require_one_step)]


class OfProfile(Body):
    profile_id: ProfileId = None


class ToUpload(UploadByUrl):
    profile_id: ProfileId = None
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description="Without it, the same url gives the same medium; another key fetches it again",
    )


class ToPlan(BulkPublishRequest):
    profile_id: ProfileId = None


class PlanId(Body):
    plan_id: Annotated[str, Field(max_length=200, description="From plan_posts")]


class WhichList(Body):
    job_id: _Id | None = Field(None, description="Only the posts of this job")
    profile_id: ProfileId = None
    state: PostState | None = None
    integration_id: str | None = None
    error_code: str | None = None
    since: str | None = Field(None, alias="from", description="Due then or later (ISO 8601)")
    until: str | None = Field(None, alias="to", description="Due before then (ISO 8601)")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = Field(None, description="`next_cursor` of the answer before")


_PostId = Annotated[_Id, Field(validation_alias=AliasChoices("post_id", "id"))]


class PostId(Body):
    post_id: _PostId


class JobId(Body):
    job_id: Annotated[_Id, Field(validation_alias=AliasChoices("job_id", "id"))]


class ToEdit(PatchPost):
    post_id: _PostId


class ToCancel(WhichPosts):
    dry_run: bool = Field(default=False, description="Only say what would be cancelled")


class ToRetry(WhichPosts):
    """Without the word that something is not on the network, which the API takes here."""

    dry_run: bool = Field(default=False, description="Only say what would be tried again")

    @model_validator(mode="before")
    @classmethod
    def _takes_no_word(cls, given: Any) -> Any:
        if isinstance(given, dict) and "confirm_not_published" in given:
            raise ValueError(
                "confirm_not_published is not taken here: when a person has looked at the channel "
                "and the post is not there, call retry_missing_post, for one post"
            )
        return given


class MissingPost(Body):
    post_id: _PostId
    as_of: IsoTime = Field(description="`as_of` of the post when the person looked: see get_post")
