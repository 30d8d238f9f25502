"""A noun of the command line: commands about it, of which `ls` need not be named."""

from collections.abc import Callable
from typing import Any

import typer

from cli.options import JsonFields, ProfileId

_CONTEXT = {"help_option_names": ["-h", "--help"]}


def new_app(about: str, **more: Any) -> typer.Typer:
    return typer.Typer(
        help=about,
        rich_markup_mode=None,  # plain text, the same with and without a terminal
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
        **more,
    )


def new_group(about: str, list_things: Callable[..., None]) -> typer.Typer:
    """`list_things` takes `json` and `profile` at least; it is the command `ls`."""
    group = new_app(about, add_completion=False)
    group.command("ls")(list_things)

    @group.callback(invoke_without_command=True)
    def list_by_default(
        context: typer.Context, json: JsonFields = None, profile: ProfileId = None
    ) -> None:
        if context.invoked_subcommand is None:
            list_things(json=json, profile=profile)

    list_by_default.__doc__ = about
    return group
