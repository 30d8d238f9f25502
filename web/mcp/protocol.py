"""JSON-RPC as MCP's streamable HTTP has it: versions, the checks of a message, and its answers.

Since 2026-07-28 every request stands alone and says its version in `params._meta` and in a header.
Clients of older versions begin with `initialize`; nothing is remembered of it.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import Headers

STATELESS = "2026-07-28"
WITH_HANDSHAKE = ("2025-03-26", "2025-06-18", "2025-11-25")
VERSIONS = [*WITH_HANDSHAKE, STATELESS]

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022
_NOT_FOUND = 404

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
SERVER_KEY = "io.modelcontextprotocol/serverInfo"
VERSION_HEADER, METHOD_HEADER, NAME_HEADER = "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")


class ProtocolError(Exception):
    """What is wrong with a message itself. `next_step`: what its sender can do."""

    def __init__(self, code: int, message: str, next_step: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = {**data, "next_step": next_step}

    @property
    def status(self) -> int:
        """Of HTTP."""
        return _NOT_FOUND if self.code == METHOD_NOT_FOUND else 400


@dataclass(frozen=True, kw_only=True)
class Message:
    """`id`: None for a notification, which gets no answer."""

    id: str | int | None
    method: str
    params: Mapping[str, Any]
    version: str

    @property
    def is_stateless(self) -> bool:
        return self.version == STATELESS


def read_message(body: Mapping[str, Any], headers: Headers) -> Message:
    """Raises `ProtocolError`."""
    method, params, given_id = body.get("method"), body.get("params", {}), body.get("id")
    is_known = body.get("jsonrpc") == "2.0" and isinstance(method, str)
    is_id = "id" not in body or (isinstance(given_id, str | int) and given_id is not True)
    if not is_known or not is_id or not isinstance(params, dict):
        raise ProtocolError(
            INVALID_REQUEST,
            "This is not one JSON-RPC 2.0 request",
            'Send {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}',
        )
    assert isinstance(method, str)
    version = _read_version(method, params, headers)
    if version == STATELESS and "id" in body:
        _check_envelope(method, params, headers)
    return Message(id=given_id, method=method, params=params, version=version)


def _read_version(method: str, params: Mapping[str, Any], headers: Headers) -> str:
    meta = params.get("_meta")
    named = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    in_header = headers.get(VERSION_HEADER)
    if method == "initialize":
        return WITH_HANDSHAKE[-1]
    version = named if named is not None else in_header or WITH_HANDSHAKE[0]
    if named is not None and named != in_header:
        raise _mismatch(VERSION_HEADER, f"params._meta[{VERSION_KEY!r}]")
    if version not in VERSIONS:
        raise ProtocolError(
            UNSUPPORTED_VERSION,
            f"The version {str(version)[:40]!r} is not spoken here",
            f"Use {STATELESS}",
            supported=VERSIONS,
            requested=str(version)[:40],
        )
    return str(version)


def _check_envelope(method: str, params: Mapping[str, Any], headers: Headers) -> None:
    meta = params.get("_meta")
    needed = (VERSION_KEY, CAPABILITIES_KEY)
    missing = [key for key in needed if not isinstance(meta, dict) or key not in meta]
    if missing:
        raise ProtocolError(
            INVALID_PARAMS,
            f"params._meta lacks {', '.join(missing)}",
            "Send both with every request; the capabilities may be an empty object",
        )
    if headers.get(METHOD_HEADER) != method:
        raise _mismatch(METHOD_HEADER, "method")
    if method == "tools/call" and _decode(headers.get(NAME_HEADER)) != params.get("name"):
        raise _mismatch(NAME_HEADER, "params.name")


def _decode(value: str | None) -> str | None:
    """A header that is no plain text comes in base64."""
    found = _ENCODED.fullmatch(value or "")
    if found is None:
        return value
    try:
        return base64.b64decode(found[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _mismatch(header: str, place: str) -> ProtocolError:
    return ProtocolError(
        HEADER_MISMATCH,
        f"The header {header} is not what the body has as {place}",
        f"Send the same value in both, or let an MCP client of version {STATELESS} do it",
    )


def result_body(message: Message, result: Mapping[str, Any]) -> dict[str, Any]:
    more = {"resultType": "complete"} if message.is_stateless else {}
    return {"jsonrpc": "2.0", "id": message.id, "result": {**result, **more}}


def error_body(request_id: object, error: ProtocolError) -> dict[str, Any]:
    shown = {"code": error.code, "message": error.message, "data": error.data}
    return {"jsonrpc": "2.0", "id": request_id, "error": shown}
