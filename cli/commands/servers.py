"""`pressroom servers`: how the Postiz servers fare."""

from cli.groups import new_group
from cli.options import JsonFields, ProfileId, connect
from cli.output import Listing, format_time, show

SERVERS = Listing(
    fields=(
        "base_url",
        "profile_ids",
        "verdict",
        "since",
        "reason",
        "overdue",
        "last_published_at",
        "seconds_to_publish",
    ),
    columns={
        "SERVER": lambda row: row["base_url"],
        "IS": lambda row: row["verdict"],
        "SINCE": lambda row: format_time(row["since"]),
        "OVERDUE": lambda row: row["overdue"],
        "LAST PUBLISHED": lambda row: format_time(row["last_published_at"]),
        "REASON": lambda row: row["reason"],
    },
)


def list_servers(json: JsonFields = None, profile: ProfileId = None) -> None:
    """List the Postiz servers, and whether they publish what they take."""
    api = connect(profile)
    show(SERVERS, json, lambda: api.get("/servers")["items"])


servers = new_group("The Postiz servers, and how they fare", list_servers)
