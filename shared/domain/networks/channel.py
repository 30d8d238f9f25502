"""A channel: an integration of Postiz, with the fields that the rules need."""

from dataclasses import dataclass
from functools import cached_property

from shared.domain.networks.network_settings import PLATFORMS


@dataclass(frozen=True, kw_only=True)
class Channel:
    """An integration; `identifier` is None while Postiz's list of integrations is unknown."""

    id: str
    identifier: str | None = None
    name: str | None = None
    disabled: bool = False
    trouble: str | None = None  # why posts wait for it, in words; None if it is ready

    @cached_property
    def keys(self) -> list[str]:
        """The names that a request may use for it, the most specific first."""
        identifier = self.identifier or ""
        return [key for key in (self.id, identifier, PLATFORMS.get(identifier)) if key]
