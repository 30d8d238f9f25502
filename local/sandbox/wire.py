"""What a client meets on the wire: each API request is noted, meets its fault, and is answered."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from . import api, replies
from .bodies import drain, is_upload
from .faults import Fault
from .replies import Reply
from .routes import Match, match
from .state import Sandbox
from .subjects import read_asked

Work = Callable[[], Awaitable[Reply]]

_NODE_HEADERS = {"Keep-Alive": "timeout=5"}
_EMPTY_401 = {"logout": "true", "Set-Cookie": "auth=; Max-Age=-1; Path=/"}
_POLL = 0.2


class ConnectionCut(Exception):
    """The client hears nothing more; `status` is what it would have been told."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(status)
        self.status = status


async def handle(sandbox: Sandbox, request: web.Request) -> web.StreamResponse:
    found = _match(sandbox, request)
    key = request.headers.get("Authorization", "")
    org = sandbox.orgs.by_key(key)
    owner = org.id if org else None
    number = _note_request(sandbox, request, found, key, owner)
    if found is None:
        visible = request.path_qs.removeprefix("/api")
        return _finish(sandbox, number, _response(replies.not_found(request.method, visible)))
    fault = sandbox.faults.for_request(await read_asked(sandbox.posts, request, found, owner))
    if fault is None:
        reply = await api.answer(sandbox, request, found)
        return _finish(sandbox, number, _response(reply))
    sandbox.ledger.complete(number, fault=fault.kind, fault_id=fault.id)
    try:
        response = await _meet(sandbox, request, found, fault)
    except ConnectionCut as cut:
        sandbox.ledger.complete(number, lost_status=cut.status, finished=sandbox.clock())
        return web.Response()
    return _finish(sandbox, number, response)


def _match(sandbox: Sandbox, request: web.Request) -> Match | None:
    path = request.path
    inside = path.startswith(f"{sandbox.prefix}/")
    return match(request.method, path.removeprefix(sandbox.prefix)) if inside else None


def _note_request(
    sandbox: Sandbox, request: web.Request, found: Match | None, key: str, owner: str | None
) -> int:
    return sandbox.ledger.add(
        "request",
        owner,
        method=request.method,
        path=request.path,
        query=request.query_string,
        route=found.label if found else None,
        params=found.params if found else {},
        key=key,
        key_sha256=hashlib.sha256(key.encode()).hexdigest()[:12] if key else None,
        key_label=sandbox.orgs.key_label(key),
        peer=_peer(request),
        status=None,
    )


def _peer(request: web.Request) -> int | None:
    """The client's port: equal for requests that came over one connection."""
    address = request.get_extra_info("peername")
    return address[1] if address else None


def _finish(sandbox: Sandbox, number: int, response: web.StreamResponse) -> web.StreamResponse:
    sandbox.ledger.complete(number, status=response.status, finished=sandbox.clock())
    return response


def _response(reply: Reply) -> web.StreamResponse:
    headers = {**_NODE_HEADERS, **reply.headers}
    if isinstance(reply.body, bytes):
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    headers["Content-Type"] = "application/json; charset=utf-8"
    return web.Response(status=reply.status, body=_json(reply.body), headers=headers)


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


# faults


async def _meet(
    sandbox: Sandbox, request: web.Request, found: Match, fault: Fault
) -> web.StreamResponse:
    async def work() -> Reply:
        return await api.answer(sandbox, request, found, fault)

    if not is_upload(request):
        await request.read()
    args = {**fault.args}
    if "seconds" in args:
        args["seconds"] = sandbox.pace.draw(args["seconds"])
    return await _KINDS[fault.kind](request, args, work)


Meeting = Callable[[web.Request, Mapping[str, Any], Work], Awaitable[web.StreamResponse]]


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _lost_after(
    request: web.Request, _args: Mapping[str, Any], work: Work
) -> web.StreamResponse:
    reply = await work()
    _cut(request)
    raise ConnectionCut(reply.status)


async def _lost_before(
    request: web.Request, _args: Mapping[str, Any], _work: Work
) -> web.StreamResponse:
    _cut(request)
    raise ConnectionCut


async def _killed(request: web.Request, args: Mapping[str, Any], work: Work) -> web.StreamResponse:
    """`answers`: the work is left undone all the same, but nobody can tell from the reply."""
    if args.get("answers"):
        return await _just_do(request, args, work)
    return await _lost_after(request, args, work)


async def _do_later(
    _request: web.Request, args: Mapping[str, Any], work: Work
) -> web.StreamResponse:
    """The same for a slow server and for one that goes on without its client."""
    await asyncio.sleep(float(args.get("seconds", 30)))
    return _response(await work())


async def _cut_short(
    request: web.Request, _args: Mapping[str, Any], _work: Work
) -> web.StreamResponse:
    """Not all of the form arrived: of a proxy that gave up, say."""
    await drain(request)
    return _response(replies.bad_request("Multipart: Unexpected end of form"))


async def _hang(request: web.Request, _args: Mapping[str, Any], _work: Work) -> web.StreamResponse:
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(_POLL)
    raise ConnectionCut


async def _error_after(
    _request: web.Request, _args: Mapping[str, Any], work: Work
) -> web.StreamResponse:
    await work()
    return _response(replies.internal_error())


def _instead(reply: Reply) -> Meeting:
    async def meet(
        _request: web.Request, args: Mapping[str, Any], work: Work
    ) -> web.StreamResponse:
        if args.get("after"):
            await work()
        return _response(reply)

    return meet


async def _empty_401(
    request: web.Request, _args: Mapping[str, Any], _work: Work
) -> web.StreamResponse:
    response = web.StreamResponse(status=401, headers=_EMPTY_401)
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write_eof()
    return response


async def _throttle(
    _request: web.Request, args: Mapping[str, Any], _work: Work
) -> web.StreamResponse:
    return _response(replies.throttled(int(args.get("retry_after", 3600))))


async def _just_do(
    _request: web.Request, _args: Mapping[str, Any], work: Work
) -> web.StreamResponse:
    return _response(await work())


async def _truncate(
    request: web.Request, _args: Mapping[str, Any], work: Work
) -> web.StreamResponse:
    reply = await work()
    body = reply.body if isinstance(reply.body, bytes) else _json(reply.body)
    headers = {"Content-Type": "application/json; charset=utf-8", **reply.headers}
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    raise ConnectionCut(reply.status)


async def _repeat(_request: web.Request, args: Mapping[str, Any], work: Work) -> web.StreamResponse:
    await work()
    await asyncio.sleep(float(args.get("seconds", 0)))
    return _response(await work())


_KINDS: Mapping[str, Meeting] = {
    "reply_lost_after": _lost_after,
    "reply_lost_before": _lost_before,
    "hang_then_do": _do_later,
    "hang": _hang,
    "cut_short": _cut_short,
    "error_500_after": _error_after,
    "error_500_before": _instead(replies.internal_error()),
    "error_402": _instead(replies.plan_limit("https://platform.invalid/billing")),
    "html_502": _instead(replies.bad_gateway()),
    "empty_401": _empty_401,
    "slow": _do_later,
    "spontaneous_429": _throttle,
    "stop_midway": _just_do,
    "truncated_reply": _truncate,
    "repeat_request": _repeat,
    "refused_by_network": _just_do,
    "killed_in_release": _killed,
}
