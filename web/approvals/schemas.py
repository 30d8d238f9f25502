"""Approvals, rejections, and links to decide with."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from shared.approvals.decisions import MAX_NOTE
from web.http_layer.shown_once import ShownOnce
from web.schemas.common import IsoTime, Name, NullIsAbsent, Whole

Revision = Annotated[Whole, Field(ge=1)]
_REVISION = "The revision that you saw; if it is not the current one, it is a 409"


class Approval(NullIsAbsent):
    revision: Revision | None = Field(None, description=_REVISION)


class JobApproval(NullIsAbsent):
    as_of: IsoTime | None = Field(
        None,
        description="When you saw them: posts that somebody has edited since go on waiting",
    )


class Rejection(NullIsAbsent):
    note: Annotated[str, Field(max_length=MAX_NOTE)] = Field(
        "", description="Why, and what should be different: `error.message` of the post"
    )
    revision: Revision | None = Field(None, description=_REVISION)


class NewApprovalLink(NullIsAbsent):
    name: Name = Field("approval link", description="Who gets it: decisions are logged with it")
    expires_at: IsoTime | None = Field(
        None, description="In 7 days if it is not given; at most in 90"
    )


class ApprovalLinkView(BaseModel):
    id: str
    job_id: str
    profile_id: str
    name: str
    expires_at: datetime
    revoked_at: datetime | None
    opened: int = Field(description="How often its page was shown")
    decided: int = Field(description="Posts that were approved or rejected with it")
    last_used_at: datetime | None
    created_at: datetime


class CreatedApprovalLink(ApprovalLinkView):
    url: ShownOnce


class ApprovalLinks(BaseModel):
    items: list[ApprovalLinkView]
