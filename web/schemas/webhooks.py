"""Webhooks and their deliveries."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from web.http_layer.pagination import PageQuery
from web.http_layer.shown_once import ShownOnce
from web.schemas.common import Body, Flag, Url

EventName = Literal[
    "post.scheduled",
    "post.published",
    "post.failed",
    "post.approval_requested",
    "post.approved",
    "post.rejected",
    "job.completed",
    "account.blocked",
    "credentials.rejected",
    "server.stalled",
    "server.recovered",
    "channel.not_ready",
    "channel.ready",
]
EventNames = Annotated[list[EventName], Field(min_length=1)]
ProfileIds = Annotated[list[str], Field(min_length=1, max_length=1000)]


class NewWebhook(Body):
    url: Url
    events: EventNames
    profile_ids: ProfileIds | None = Field(
        None,
        description="Whose events; without it the header's profile, else all that the key may see",
    )


class PatchWebhook(Body):
    """What is not named stays."""

    url: Url | None = None
    events: EventNames | None = None
    profile_ids: ProfileIds | None = Field(None, description="null: every profile's")
    enabled: Flag | None = Field(
        None, description="false: nothing is sent or noted; true: begin anew, with what waits"
    )


class WebhookView(BaseModel):
    id: str
    url: str
    events: list[str]
    profile_ids: list[str] | None
    enabled: bool
    held: str | None = Field(
        description="Why no attempt can succeed: `secret_unreadable` until its secret is rotated, "
        "or the key that sealed it is back"
    )
    disabled_at: datetime | None
    disabled_reason: str | None
    failures: int = Field(description="Failed attempts in a row")
    failing_since: datetime | None
    old_secret_until: datetime | None = Field(
        description="Until when a secret that was rotated out signs too"
    )
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(WebhookView):
    secret: ShownOnce


class Attempt(BaseModel):
    at: datetime
    status: int | None = Field(description="null: there was no answer")
    error: str | None
    seconds: float


DeliveryState = Literal["pending", "delivered", "failed", "dropped"]


class DeliveriesQuery(PageQuery):
    state: DeliveryState | None = None
    event: EventName | Literal["webhook.test"] | None = None


class DeliveryView(BaseModel):
    id: str
    message_id: str = Field(description="The header `webhook-id`")
    event: str
    state: DeliveryState
    attempts: int
    next_at: datetime | None = Field(description="When it is tried next, if it is")
    tried: list[Attempt]
    created_at: datetime
    delivered_at: datetime | None


class WholeDelivery(DeliveryView):
    payload: dict[str, Any]
