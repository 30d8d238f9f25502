"""Who somebody is at an OpenID Connect provider."""

from pydantic import BaseModel, Field


class Identity(BaseModel):
    """Who the provider says somebody is. `subject`: for ever theirs, at this issuer."""

    subject: str = Field(alias="sub", min_length=1, max_length=255)
    email: str | None = Field(None, max_length=254)
    email_verified: bool = False
