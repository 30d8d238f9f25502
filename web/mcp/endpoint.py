"""`POST /mcp`: one JSON-RPC message in, plain JSON out; nothing is remembered between two."""

import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from shared.errors import Forbidden, InvalidRequest
from web import auth
from web.mcp import protocol
from web.mcp.protocol import Message, ProtocolError
from web.mcp.tools import TOOLS
from web.services import current_services

PATH = "/mcp"
#: As much as some thousand rows of a bulk.
MAX_BYTES = 4 * 1024**2
_SERVER = {"name": "pressroom", "title": "Pressroom", "version": "0.1.0"}
_INSTRUCTIONS = (
    "Publishes posts to social channels, each exactly once. list_channels first; plan_posts shows "
    "what would go out, and after your user has agreed publish_posts publishes that plan; get_job "
    "and list_posts tell what became of it. A call whose answer was lost may be repeated with the "
    "same plan_id. A post with outcome_unknown may be on the network: never publish it again."
)
_CAPABILITIES: dict[str, Any] = {"tools": {}}
#: How long a client may keep the list of tools (milliseconds): it changes with a new version only.
_FRESH_MS = 300_000

pages = Blueprint("mcp", __name__)


@pages.post(PATH)
def answer_message() -> Response:
    auth.authenticate_key()
    _refuse_other_sites()
    request_id = None
    try:
        body = _read_body()
        request_id = body.get("id")
        message = protocol.read_message(body, request.headers)
        if "id" not in body:
            return Response(status=202)
        answer = protocol.result_body(message, _dispatch(message))
    except ProtocolError as error:
        known_id = request_id if isinstance(request_id, str | int) else None
        return _json(protocol.error_body(known_id, error), error.status)
    return _json(answer, 200)


def _refuse_other_sites() -> None:
    """The specification asks for it: a page of another site must not reach a local server."""
    origin, public_url = request.headers.get("Origin"), current_services().settings.public_url
    if origin is not None and not is_our_origin(origin, request.host, public_url):
        raise Forbidden("A page of another site may not call this", code="foreign_origin")


def is_our_origin(origin: str, host: str, public_url: str | None) -> bool:
    """`host`: of the request. Another's name may be made to lead here (DNS rebinding), and is both
    `origin` and `host` then; so the only name that is ours is that of `PRESSROOM_PUBLIC_URL`."""
    try:
        parts, ours = urlsplit(origin), urlsplit(public_url or "")
        if ours.netloc and (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc):
            return True
        return parts.netloc == host and _is_no_name(parts.hostname or "")
    except ValueError:
        return False


def _is_no_name(host: str) -> bool:
    """Raises `ValueError` for a name; nobody else can make `localhost` or an address lead here."""
    return host == "localhost" or bool(ipaddress.ip_address(host))


def _read_body() -> dict[str, Any]:
    request.max_content_length = MAX_BYTES
    if request.get_data().lstrip()[:1] == b"[":
        raise ProtocolError(
            protocol.INVALID_REQUEST,
            "Several messages in one body are not taken",
            "Send each request in a POST of its own",
        )
    try:
        return dict(request.get_json())
    except InvalidRequest as error:
        raise ProtocolError(
            protocol.PARSE_ERROR, error.message, "Send one JSON object, as application/json"
        ) from error


def _json(body: Mapping[str, Any], status: int) -> Response:
    text = json.dumps(body, ensure_ascii=False)
    return Response(text, status, content_type="application/json")


def _dispatch(message: Message) -> dict[str, Any]:
    if (answer := _METHODS.get(message.method)) is None:
        raise ProtocolError(
            protocol.METHOD_NOT_FOUND,
            f"There is no method {message.method[:80]!r}",
            f"Use one of {', '.join(_METHODS)}",
        )
    return answer(message)


def _discover(_: Message) -> dict[str, Any]:
    return {
        "supportedVersions": protocol.VERSIONS,
        "capabilities": _CAPABILITIES,
        "instructions": _INSTRUCTIONS,
        "ttlMs": _FRESH_MS,
        "cacheScope": "public",
        "_meta": {protocol.SERVER_KEY: _SERVER},
    }


def _initialize(message: Message) -> dict[str, Any]:
    wanted = message.params.get("protocolVersion")
    version = wanted if wanted in protocol.WITH_HANDSHAKE else protocol.WITH_HANDSHAKE[-1]
    return {
        "protocolVersion": version,
        "capabilities": _CAPABILITIES,
        "serverInfo": _SERVER,
        "instructions": _INSTRUCTIONS,
    }


def _list_tools(message: Message) -> dict[str, Any]:
    fresh = {"ttlMs": _FRESH_MS, "cacheScope": "public"} if message.is_stateless else {}
    return {"tools": [tool.shown for tool in TOOLS.values()], **fresh}


def _call_tool(message: Message) -> dict[str, Any]:
    name, given = message.params.get("name"), message.params.get("arguments")
    tool = TOOLS.get(name) if isinstance(name, str) else None
    if tool is None:
        raise ProtocolError(
            protocol.INVALID_PARAMS,
            f"There is no tool {str(name)[:80]!r}",
            f"Call tools/list; there are {', '.join(TOOLS)}",
        )
    if not isinstance(given, dict | None):
        raise ProtocolError(
            protocol.INVALID_PARAMS,
            "params.arguments is no object",
            "Send the arguments by name, in an object",
        )
    return tool.call(given or {})


_METHODS: Mapping[str, Callable[[Message], dict[str, Any]]] = {
    "server/discover": _discover,
    "initialize": _initialize,
    "ping": lambda _: {},
    "tools/list": _list_tools,
    "tools/call": _call_tool,
}
