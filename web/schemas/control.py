"""Cancel and retry of many posts at once."""

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from shared.domain.publishing.states import PostState
from web.schemas.common import Body, IsoTime
from web.schemas.jobs import RetryRequest

MAX_IDS = 10_000


class WhichPosts(Body):
    """Those that meet every field; at least one has to be there."""

    ids: Annotated[list[str], Field(min_length=1, max_length=MAX_IDS)] | None = None
    job_id: str | None = None
    profile_id: str | None = None
    account_id: str | None = None
    integration_id: str | None = None
    state: PostState | None = None
    error_code: str | None = None
    since: IsoTime | None = Field(None, alias="from", description="Due then or later")
    until: IsoTime | None = Field(None, alias="to", description="Due before then")

    @model_validator(mode="after")
    def _names_something(self) -> "WhichPosts":
        named = set(WhichPosts.model_fields) & self.model_fields_set
        if all(getattr(self, name) is None for name in named):
            raise ValueError("say which posts: no field is given")
        return self


class WhichToRetry(WhichPosts, RetryRequest):
    pass


class RefusedView(BaseModel):
    code: str
    message: str
    count: int = Field(description="Posts that were left as they are for this reason")
    post_id: str = Field(description="The first of them")


class ChangedView(BaseModel):
    changed: int = Field(description="Posts that were changed by this request")
    may_be_live: int = Field(
        0, description="Failed posts that may be on the network, and wait for your word on it"
    )
    refused: list[RefusedView]
