"""Accounts: the Postiz organizations, as far as a caller may know them."""

from datetime import datetime

from pydantic import BaseModel, Field

from web.schemas.profiles import IntegrationView


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


class AccountView(Budget):
    id: str
    base_url: str | None
    profile_ids: list[str]
    integrations: list[IntegrationView]
    held: str | None = Field(description="Why nothing is sent")
    paused: bool
    backlog: int = Field(description="Posts that Postiz does not hold yet")
    drained_at: datetime | None = Field(description="When the last of them is due")
