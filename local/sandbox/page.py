"""The sandbox's pages: an overview of what Postiz would be doing, and a published post."""

from .state import Sandbox


def overview(sandbox: Sandbox, stats: dict[str, object]) -> str:
    return f"<!doctype html><title>Sandbox Postiz</title>{sandbox.url} {len(stats)}"


def published(sandbox: Sandbox, send: dict[str, object]) -> str:
    return f"{sandbox.url} {send['post']}"


def nothing() -> str:
    return "<!doctype html><title>Not published</title><h1>Nothing was published here.</h1>"
