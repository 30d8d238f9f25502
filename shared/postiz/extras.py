"""What only Postiz can answer about a channel or a post of ours, passed on as it is.

Pressroom needs none of it; clients that were written for Postiz ask for it (web/postiz_front). The
caller has checked that the channel or post is its own: ids come from our own rows.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from shared.postiz.client import Postiz

#: Asks a Postiz something, within so many seconds.
Question = Callable[[Postiz, float], Any]


def channel_settings(channel_id: str) -> Question:
    """Rules, length and settings of its network, and the tools that it has."""
    return _read(f"/integration-settings/{_part(channel_id)}")


def channel_analytics(channel_id: str, days: str) -> Question:
    return _read(f"/analytics/{_part(channel_id)}", {"date": days})


def post_analytics(postiz_id: str, days: str) -> Question:
    return _read(f"/analytics/post/{_part(postiz_id)}", {"date": days})


def missing_content(postiz_id: str) -> Question:
    """What is on the network that may be this post, where Postiz has lost its id there."""
    return _read(f"/posts/{_part(postiz_id)}/missing")


def run_tool(channel_id: str, name: str, data: Mapping[str, Any]) -> Question:
    """A tool of the channel's network, such as its list of boards."""
    path = f"/integration-trigger/{_part(channel_id)}"
    return _write("POST", path, {"methodName": name, "data": dict(data)})


def set_release_id(postiz_id: str, release_id: str) -> Question:
    return _write("PUT", f"/posts/{_part(postiz_id)}/release-id", {"releaseId": release_id})


def _part(name: str) -> str:
    """Of a path, wherever the name came from."""
    return quote(name, safe="")


def _read(path: str, params: Mapping[str, str] | None = None) -> Question:
    return lambda postiz, seconds: postiz.read_json(path, params=params, seconds=seconds)


def _write(method: str, path: str, body: Mapping[str, Any]) -> Question:
    def ask(postiz: Postiz, _seconds: float) -> Any:
        return postiz.parse_json(postiz.send_write(method, path, body), write=True)

    return ask
