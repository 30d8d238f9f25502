"""`pressroom login` and `logout`: the key of this machine's user."""

import os
import sys
from typing import Annotated
from urllib.parse import quote

import typer

from cli.failures import CliFailure, SignInFailure, UsageFailure
from cli.http.answers import ApiFailure
from cli.http.api import Api
from cli.output import note
from cli.questions import ask, ask_secret
from cli.sign_in import (
    KEY,
    URL,
    SignIn,
    forget_sign_in,
    is_readable_on_the_way,
    keep_sign_in,
    parse_server_url,
)

_LONGEST_KEY = 1000
ServerUrl = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", envvar=URL, help="The server, as https://pressroom.example.com"
    ),
]
DefaultProfile = Annotated[
    str | None,
    typer.Option(
        "--profile", "-p", metavar="ID", help="The profile that is meant if none is named"
    ),
]


def login(url: ServerUrl = None, profile: DefaultProfile = None) -> None:
    """Keep a key for a server, which is asked whether it takes it.

    An admin makes keys in the pages (Settings, API keys) with the scopes read and publish; where
    `make up` runs, .pressroom/stack.json has one (admin_key). The key comes from PRESSROOM_API_KEY,
    else from a question, else (without a terminal) from standard input. It is never an argument,
    which other users of the machine could read.
    """
    signed_in = SignIn(
        url=parse_server_url(url or _ask_url()), api_key=_read_key(), profile=profile
    )
    if is_readable_on_the_way(signed_in.url):
        note(f"Warning: the key goes to {signed_in.url} unencrypted; use https where you can")
    _try_key(signed_in)
    path = keep_sign_in(signed_in)
    note(f"Signed in to {signed_in.url}; the key is kept in {path}")


def logout() -> None:
    """Forget the key that login kept."""
    note("The key is forgotten" if forget_sign_in() else "There was no key")


def _ask_url() -> str:
    if not sys.stdin.isatty():
        raise UsageFailure("Which server?", hint=f"--url https://…, or set {URL}")
    return ask("Address of the server:")


def _read_key() -> str:
    key = os.environ.get(KEY, "").strip()
    if not key and sys.stdin.isatty():
        key = ask_secret("API key:")
    elif not key:
        key = sys.stdin.readline(_LONGEST_KEY + 2).strip()
    if not key:
        raise SignInFailure(
            "There is no key", hint=f"pipe it in: pressroom login < FILE, or set {KEY}"
        )
    if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()) or " " in key:
        raise SignInFailure("This is not an API key: it has no spaces, and ASCII alone")
    return key


def _try_key(signed_in: SignIn) -> None:
    """Raises `SignInFailure` for a key that the server does not take, `CliFailure` for a profile
    that the key does not see."""
    profile = signed_in.profile
    path = "/profiles" if profile is None else f"/profiles/{quote(profile, safe='')}"
    try:
        Api(signed_in).get(path, {"limit": 1} if profile is None else None)
    except ApiFailure as failure:
        if failure.status == 404 and profile is not None:
            raise CliFailure(
                f"There is no profile {profile!r} for this key",
                hint="sign in without --profile; then pressroom profiles lists them",
            ) from failure
        if failure.status != 403:  # a good key that may not read
            raise
