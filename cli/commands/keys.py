"""`pressroom keys`: keys of the API."""

from typing import Annotated
from urllib.parse import quote

import typer

from cli.groups import new_group
from cli.options import MOST, JsonFields, Limit, ProfileId, connect
from cli.output import Listing, format_time, note, show

KEYS = Listing(
    fields=(
        "id",
        "name",
        "profile_ids",
        "scopes",
        "expires_at",
        "last_used_at",
        "old_key_until",
        "requires_approval",
        "created_at",
    ),
    columns={
        "ID": lambda row: row["id"],
        "NAME": lambda row: row["name"],
        "PROFILES": lambda row: "all" if row["profile_ids"] is None else row["profile_ids"],
        "SCOPES": lambda row: row["scopes"],
        "EXPIRES": lambda row: format_time(row["expires_at"]),
        "LAST USED": lambda row: format_time(row["last_used_at"]),
    },
)
NEW_KEY = Listing(fields=(*KEYS.fields, "key"), columns={"KEY": lambda row: row["key"]})
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The id of a key")]


def list_keys(json: JsonFields = None, profile: ProfileId = None, limit: Limit = MOST) -> None:
    """List the keys, without themselves."""
    api = connect(profile)
    show(KEYS, json, lambda: api.items("/keys", limit), limit=limit)


keys = new_group("Keys of the API", list_keys)


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    scopes: Annotated[
        str, typer.Option(metavar="SCOPES", help="Of read, publish, approve, settings, admin")
    ] = "read,publish",
    profiles: Annotated[
        str | None, typer.Option(metavar="IDS", help="Only for these profiles; else for all")
    ] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME")] = None,
    json: JsonFields = None,
) -> None:
    """Create a key; it is printed this once."""
    body = {
        "name": name,
        "scopes": scopes.split(","),
        "profile_ids": profiles.split(",") if profiles else None,
        "expires_at": expires,
    }
    api = connect()
    show(NEW_KEY, json, lambda: [api.post("/keys", body)])


@keys.command("rotate")
def rotate(
    key: KeyId,
    overlap_seconds: Annotated[
        int, typer.Option(metavar="SECONDS", help="For so long the earlier key works too")
    ] = 86_400,
    json: JsonFields = None,
) -> None:
    """Replace a key by a new one, printed this once."""
    api, body = connect(), {"overlap_seconds": overlap_seconds}
    show(NEW_KEY, json, lambda: [api.post(f"{_path(key)}/rotate", body)])


@keys.command("delete")
def delete(key: KeyId) -> None:
    """Delete a key: it stops working at once."""
    connect().call("DELETE", _path(key))
    note(f"Key {key} is deleted")


def _path(key: str) -> str:
    return f"/keys/{quote(key, safe='')}"
