"""`pressroom webhooks`: who is told of events, and a way to hear them on this machine."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import typer

from cli.failures import CliFailure, UsageFailure
from cli.groups import new_group
from cli.http.api import Api
from cli.live.forwarding import listening, wait_for_ever
from cli.options import MOST, JsonFields, Limit, ProfileId, connect
from cli.output import Listing, clean_text, format_time, note, show
from cli.publishing.source import split_list

WEBHOOKS = Listing(
    fields=(
        "id",
        "url",
        "events",
        "profile_ids",
        "enabled",
        "held",
        "disabled_at",
        "disabled_reason",
        "failures",
        "failing_since",
        "old_secret_until",
        "created_at",
        "updated_at",
    ),
    columns={
        "ID": lambda row: row["id"],
        "URL": lambda row: row["url"],
        "EVENTS": lambda row: row["events"],
        "ENABLED": lambda row: row["enabled"],
        "FAILURES": lambda row: row["failures"],
    },
)
DELIVERIES = Listing(
    fields=(
        "id",
        "message_id",
        "event",
        "state",
        "attempts",
        "next_at",
        "tried",
        "created_at",
        "delivered_at",
    ),
    columns={
        "ID": lambda row: row["id"],
        "EVENT": lambda row: row["event"],
        "STATE": lambda row: row["state"],
        "ATTEMPTS": lambda row: row["attempts"],
        "CREATED": lambda row: format_time(row["created_at"]),
        "NEXT": lambda row: format_time(row["next_at"]),
    },
)
#: Of a machine that is shut down, or a window that is closed.
_STOPPING = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)
EVENTS = "post.scheduled,post.published,post.failed,job.completed"
WebhookId = Annotated[str, typer.Argument(metavar="ID", help="The id of a webhook")]


def list_webhooks(json: JsonFields = None, profile: ProfileId = None, limit: Limit = MOST) -> None:
    """List the webhooks, without their secrets."""
    api = connect(profile)
    show(WEBHOOKS, json, lambda: api.items("/webhooks", limit), limit=limit)


webhooks = new_group("Who is told of events", list_webhooks)


@webhooks.command("deliveries")
def list_deliveries(
    webhook: WebhookId, json: JsonFields = None, profile: ProfileId = None, limit: Limit = MOST
) -> None:
    """List what a webhook was told, the newest first."""
    api = connect(profile)
    show(DELIVERIES, json, lambda: api.items(f"{_path(webhook)}/deliveries", limit), limit=limit)


@webhooks.command("delete")
def delete(webhook: WebhookId, profile: ProfileId = None) -> None:
    """Delete a webhook: nothing more is sent to it."""
    connect(profile).call("DELETE", _path(webhook))
    note(f"Webhook {webhook} is deleted")


@webhooks.command("listen")
def listen(
    forward_to: Annotated[
        str, typer.Option(metavar="URL", help="Your receiver, as http://127.0.0.1:3000/hook")
    ],
    *,
    events: Annotated[str, typer.Option(metavar="EVENTS")] = EVENTS,
    bind: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Of this machine, where Pressroom reaches it")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 0,
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Of a tunnel or proxy that leads to --port")
    ] = None,
    profile: ProfileId = None,
) -> None:
    """Hear events on this machine until Ctrl-C.

    Signed deliveries go on to your receiver. It makes a webhook of its own, prints its secret, and
    deletes it at the end. Pressroom has to reach this machine: by --bind, or through a tunnel that
    --public-url names.
    """
    _require_address(forward_to)
    api = connect(profile)
    try:
        with listening(bind, port, forward_to, _tell) as here:
            url = f"{public_url.rstrip('/')}{urlsplit(here).path}" if public_url else here
            with _webhook(api, url, split_list(events)) as made:
                note(f"Listening for {events}; deliveries go to {forward_to}. The secret:")
                sys.stdout.write(f"{made['secret']}\n")
                sys.stdout.flush()
                wait_for_ever(time.sleep)
    except OSError as error:
        raise CliFailure(f"{bind}:{port} cannot be listened at: {error.strerror}") from error


@contextmanager
def _webhook(api: Api, url: str, events: list[str]) -> Iterator[dict[str, Any]]:
    """Deleted at the end, also when the command is told to stop, or hears no answer: nobody else
    has its address."""
    for number in _STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    made: dict[str, Any] = {}
    try:
        made |= api.post("/webhooks", {"url": url, "events": events})
        yield made
    finally:
        for webhook_id in [made["id"]] if made else _find_at(api, url):
            api.call("DELETE", _path(webhook_id))


def _find_at(api: Api, url: str) -> list[str]:
    with suppress(CliFailure):
        return [row["id"] for row in api.items("/webhooks", MOST) if row["url"] == url]
    return []


def _tell(message_id: str, answer: str) -> None:
    now = f"{datetime.now().astimezone():%H:%M:%S}"
    sys.stdout.write(f"{now}\t{clean_text(message_id)}\t{answer}\n")
    sys.stdout.flush()


def _require_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageFailure(f"{url!r} is not an address", hint="as http://127.0.0.1:3000/hook")


def _path(webhook: str) -> str:
    return f"/webhooks/{quote(webhook, safe='')}"
