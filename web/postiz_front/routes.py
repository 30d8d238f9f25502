"""The front's routes: those of the other modules, what Pressroom cannot do, and all others."""

from flask import Blueprint, Response, request

from web.postiz_front import changes, channels, creating, listing, replies, uploads
from web.postiz_front.blueprint import PREFIXES, front

__all__ = ["changes", "channels", "creating", "front", "listing", "uploads"]
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_NO_VIDEOS = "Pressroom makes no videos: make it elsewhere, upload it, and publish it with its path"
_NO_CHANNELS = "Pressroom connects and removes no channels: do it in Postiz itself"


@front.post("/generate-video")
@front.post("/video/function")
def refuse_videos() -> Response:
    raise replies.plain(501, _NO_VIDEOS)


@front.get("/social/<network>")
@front.delete("/integrations/<channel_id>")
def refuse_channels(network: str = "", channel_id: str = "") -> Response:
    raise replies.plain(501, _NO_CHANNELS)


@front.route("/", defaults={"path": ""}, methods=_METHODS)
@front.route("/<path:path>", methods=_METHODS)
def answer_unknown_route(path: str) -> Response:
    """Without a key, as in Postiz."""
    shown = request.path.removeprefix("/api")
    raise replies.no_such_route(request.method, shown)


def fronts() -> list[tuple[Blueprint, str, str]]:
    """The blueprint under each of its prefixes, and the name that it has there."""
    return [(front, prefix, f"{front.name}_{index}") for index, prefix in enumerate(PREFIXES)]
