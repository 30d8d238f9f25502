"""Options that several commands have, and how a command reaches the API."""

from typing import Annotated

import typer

from cli.http.api import Api
from cli.sign_in import load_sign_in

JsonFields = Annotated[
    str | None,
    typer.Option("--json", metavar="FIELDS", help="Print an array of objects with these fields"),
]
ProfileId = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="ID",
        envvar="PRESSROOM_PROFILE",
        help="For which profile; not needed where the key has only one",
    ),
]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="List at most so many")]
MOST = 1000


def connect(profile: str | None = None) -> Api:
    """Raises `SignInFailure`."""
    return Api(load_sign_in(), profile)
