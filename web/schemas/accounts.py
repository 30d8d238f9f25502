"""Accounts: the Postiz organizations, as callers see them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from shared.domain.publishing.server_verdicts import Verdict
from web.schemas.common import Body, Whole
from web.schemas.profiles import HoldView, IntegrationView


class Budget(BaseModel):
    budget_limit: int | None
    budget_remaining: int | None
    resets_at: datetime | None
    blocked_until: datetime | None
    healthy: bool


class StatusView(BaseModel):
    configured: bool
    connected: bool
    source: str = Field(description="profile, environment or none")
    account: Budget | None
    detail: str | None = Field(None, description="Why it is not connected")


class AccountHoldView(HoldView):
    profile_id: str


class AccountView(Budget):
    id: str
    base_url: str | None
    profile_ids: list[str]
    integrations: list[IntegrationView]
    held: str | None = Field(description="Why nothing is sent for some of the profiles, or all")
    holds: list[AccountHoldView]
    paused: bool
    backlog: int = Field(description="Posts that Postiz does not hold yet")
    drained_at: datetime | None = Field(
        description="When Postiz holds the last of them, by budget, pace and due times; null while "
        "nothing goes out"
    )
    limit_override: int | None = Field(description="What PATCH set as `budget_limit`")
    budget_reserve: int | None = Field(
        description="Calls kept back for settling, None while no limit is known"
    )
    rule_overrides: dict[str, dict[str, float | None]]


class PatchAccount(Body):
    """What is not named stays."""

    budget_limit: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = Field(
        None,
        description="At most so many calls an hour, even where Postiz allows more; null: none. More"
        " than Postiz told last says that its limit was raised, and one call tries it",
    )
    budget_reserve: Annotated[Whole, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Calls kept back for settling unclear releases; null: as many as usual"
    )
    rule_overrides: dict[str, Any] | None = Field(
        None,
        description="By identifier or integration id, an object of limits as in docs/NETWORKS.md;"
        " merged key by key, null drops a key; null as a whole drops all",
    )


class SecondsToPublish(BaseModel):
    p50: float
    p99: float


class ServerView(BaseModel):
    base_url: str
    profile_ids: list[str]
    verdict: Verdict
    since: datetime | None = Field(description="When it stalled")
    reason: str | None
    overdue: int = Field(description="Posts that it should have published by now")
    last_published_at: datetime | None
    seconds_to_publish: SecondsToPublish | None = Field(
        description="From the release to the network, of the last posts of each account"
    )


class ServersView(BaseModel):
    items: list[ServerView]
