"""`pressroom profiles` and `pressroom channels`: for whom, and where to, posts can go."""

from cli.groups import new_group
from cli.options import MOST, JsonFields, Limit, ProfileId, connect
from cli.output import Listing, show

PROFILES = Listing(
    fields=(
        "id",
        "name",
        "description",
        "tts_settings",
        "environment_allowed",
        "account_id",
        "duplicate_window_hours",
        "paused",
        "requires_approval",
        "deleting_since",
        "holds",
        "created_at",
        "updated_at",
    ),
    columns={
        "ID": lambda row: row["id"],
        "NAME": lambda row: row["name"],
        "PAUSED": lambda row: row["paused"],
        "HELD": lambda row: [hold["reason"] for hold in row["holds"]],
    },
)
CHANNELS = Listing(
    fields=(
        "id",
        "name",
        "identifier",
        "picture",
        "disabled",
        "profile",
        "state",
        "since",
        "reason",
    ),
    columns={
        "ID": lambda row: row["id"],
        "NETWORK": lambda row: row["identifier"],
        "NAME": lambda row: row["name"],
        "STATE": lambda row: row["state"],
        "REASON": lambda row: row["reason"],
    },
)


def list_profiles(json: JsonFields = None, profile: ProfileId = None, limit: Limit = MOST) -> None:
    """List the profiles that the key sees."""
    api = connect(profile)
    show(PROFILES, json, lambda: api.items("/profiles", limit), limit=limit)


def list_channels(json: JsonFields = None, profile: ProfileId = None) -> None:
    """List the channels of the profile's Postiz.

    Their ids are what --channels takes.
    """
    api = connect(profile)
    show(CHANNELS, json, lambda: api.get("/postiz/integrations"))


profiles = new_group("Brands or clients, each with its own Postiz", list_profiles)
channels = new_group("What is connected in the profile's Postiz", list_channels)
