"""What the roles of people may do: the same scopes that keys have."""

from collections.abc import Mapping

from shared.access.api_keys import SCOPES

ADMIN = "admin"
SCOPES_OF_ROLE: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "publisher": frozenset({"read", "publish"}),
    "manager": frozenset({"read", "publish", "approve", "settings"}),
    ADMIN: frozenset(SCOPES),
}
#: Roles whose people give a second factor.
NEEDS_SECOND_FACTOR = frozenset({ADMIN})
