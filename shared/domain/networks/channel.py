"""A channel: an integration of Postiz, as far as rules look at it."""

from dataclasses import dataclass
from functools import cached_property

from shared.domain.networks.network_settings import PLATFORMS


@dataclass(frozen=True, kw_only=True)
class Channel:
    """An integration; `identifier` is None where Postiz has not told us its list yet."""

    id: str
    identifier: str | None = None
    name: str | None = None
    disabled: bool = False

    @cached_property
    def keys(self) -> list[str]:
        """By what a request may name it, the most special first."""
        identifier = self.identifier or ""
        return [key for key in (self.id, identifier, PLATFORMS.get(identifier)) if key]
