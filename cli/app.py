"""The commands, put together."""

from typing import Annotated

import typer

from cli.commands.jobs import jobs
from cli.commands.keys import keys
from cli.commands.login import login, logout
from cli.commands.posts import posts
from cli.commands.profiles import channels, profiles
from cli.commands.publish import publish, upload
from cli.commands.schedules import schedules
from cli.commands.servers import servers
from cli.commands.webhooks import webhooks
from cli.groups import new_app

_ABOUT = """Publish clips through Pressroom, and look after what is published.

First: pressroom login --url https://pressroom.example.com. Then pressroom channels shows where to,
and pressroom publish FOLDER --channels IDS publishes the clips of a folder.
"""
_GROUPS = {
    "profiles": profiles,
    "channels": channels,
    "jobs": jobs,
    "posts": posts,
    "schedules": schedules,
    "servers": servers,
    "webhooks": webhooks,
    "keys": keys,
}

app = new_app(_ABOUT, no_args_is_help=True)
for command in (login, logout, upload, publish):
    app.command()(command)
for name, group in _GROUPS.items():
    app.add_typer(group, name=name)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            typer.echo(f"pressroom {version('pressroom')}")
        except PackageNotFoundError:
            typer.echo("pressroom, from a checkout")
        raise typer.Exit


@app.callback(help=_ABOUT)
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version"),
    ] = False,
) -> None:
    """Takes the options that stand before a command."""
