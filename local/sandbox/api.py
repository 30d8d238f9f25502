"""The Public API's endpoints: each takes a call that was let in, and answers a Reply."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import networks, replies, uploads
from .bodies import drain, is_upload, read_body
from .budget import Blocked
from .creation import create
from .database import dump
from .dates import iso, iso_seconds, next_slot, without_milliseconds
from .faults import Fault
from .orgs import Integration, Org
from .posts import DRAFT, QUEUE, Post
from .replies import Refused, Reply
from .routes import Match
from .state import Sandbox
from .validation import read_post_call, read_status, read_window


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request whose key was accepted."""

    sandbox: Sandbox
    org: Org
    request: web.Request
    params: Mapping[str, str]
    body: Any
    fault: Fault | None = None


async def answer(
    sandbox: Sandbox, request: web.Request, match: Match, fault: Fault | None = None
) -> Reply:
    """Body syntax first, then the key, then the endpoint: in this order, as Postiz does."""
    try:
        body = await read_body(request)
        org = await _authenticate(sandbox, request)
        call = Call(
            sandbox=sandbox,
            org=org,
            request=request,
            params=match.params,
            body=body,
            fault=fault,
        )
        return await _ENDPOINTS[match.label](call)
    except Refused as refused:
        return refused.reply


async def _authenticate(sandbox: Sandbox, request: web.Request) -> Org:
    key = request.headers.get("Authorization", "")
    org = sandbox.orgs.by_key(key)
    if org is not None and org.subscribed:
        return org
    if is_upload(request):
        await drain(request)
    if not key:
        raise Refused(replies.custom(401, "No API Key found"))
    if org is not None:
        raise Refused(replies.custom(401, "No subscription found"))
    kind = "OAuth token" if key.startswith("pos_") else "API key"
    raise Refused(replies.custom(401, f"Invalid {kind}"))


# channels


async def _is_connected(_call: Call) -> Reply:
    return Reply(200, {"connected": True})


async def _integrations(call: Call) -> Reply:
    group = call.request.query.get("group")
    found = list(call.sandbox.orgs.integrations(call.org.id).values())
    call.sandbox.chance.shuffle(found)
    return Reply(200, [each.public() for each in found if group in (None, _customer(each))])


def _customer(integration: Integration) -> str | None:
    return integration.customer["id"] if integration.customer else None


async def _groups(call: Call) -> Reply:
    found = call.sandbox.orgs.integrations(call.org.id).values()
    customers = {each.customer["id"]: dict(each.customer) for each in found if each.customer}
    return Reply(200, list(customers.values()))


async def _integration_settings(call: Call) -> Reply:
    return Reply(200, networks.describe(_integration(call, "id").identifier))


async def _integration_trigger(call: Call) -> Reply:
    tools = networks.network(_integration(call, "id").identifier).tools
    name = call.body.get("methodName", "") if isinstance(call.body, dict) else ""
    if name not in tools:
        raise Refused(replies.custom(404, "Tool not found"))
    return Reply(201, {"output": tools[name]})


def _integration(call: Call, param: str) -> Integration:
    found = call.sandbox.orgs.integrations(call.org.id).get(call.params[param])
    if found is None:
        raise Refused(replies.custom(404, "Integration not found"))
    return found


async def _find_slot(call: Call) -> Reply:
    if call.params["integration"] not in call.sandbox.orgs.integrations(call.org.id):
        await asyncio.Event().wait()
    now = call.sandbox.now_ms()
    taken = call.sandbox.posts.taken_dates(call.org.id, now)
    return Reply(200, {"date": next_slot(now, taken)})


async def _notifications(call: Call) -> Reply:
    page = call.request.query.get("page", "0")
    number = int(page) if page.isdecimal() else 0
    return Reply(200, call.sandbox.posts.notifications(call.org.id, number))


# media


async def _upload(call: Call) -> Reply:
    return await uploads.upload(call.sandbox, call.org, call.request)


async def _upload_from_url(call: Call) -> Reply:
    return await uploads.upload_from_url(call.sandbox, call.org, call.body)


# posts


async def _create_posts(call: Call) -> Reply:
    verdict = call.sandbox.orgs.count_call(call.org)
    if isinstance(verdict, Blocked):
        return replies.throttled(verdict.retry_after)
    try:
        asked = read_post_call(call.body, call.sandbox.orgs.integrations(call.org.id))
        created = await create(call.sandbox, call.org.id, asked, call.fault)
    except Refused as refused:
        return refused.reply.with_headers(verdict.headers())
    return Reply(201, created, verdict.headers())


async def _list_posts(call: Call) -> Reply:
    start, end = read_window(call.request.query)
    customer = call.request.query.get("customer")
    channels = call.sandbox.orgs.integrations(call.org.id)
    found = [
        (post, channels[post.integration])
        for post in call.sandbox.posts.window(call.org.id, start, end)
        if post.integration in channels
    ]
    shown = [
        _public(post, channel)
        for post, channel in found
        if customer in (None, "", _customer(channel))
    ]
    call.sandbox.chance.shuffle(shown)
    return Reply(200, {"posts": shown})


def _public(post: Post, channel: Integration) -> dict[str, Any]:
    return {
        "id": post.id,
        "content": post.content,
        "publishDate": iso(post.date_ms),
        "releaseURL": post.release_url,
        "releaseId": post.id if post.release_url else None,
        "state": post.state,
        "intervalInDays": post.interval,
        "group": post.group,
        "creationMethod": "API",
        "settings": dump(post.settings),
        "tags": post.tags,
        "integration": {
            "id": channel.id,
            "providerIdentifier": channel.identifier,
            "name": channel.name,
            "picture": channel.picture,
        },
    }


async def _put_status(call: Call) -> Reply:
    """Two steps: the state, and only then the post's workflow."""
    status = read_status(call.body)
    post = _own_post(call)
    state = DRAFT if status == "draft" else QUEUE
    call.sandbox.posts.set_state(post.id, state)
    call.sandbox.ledger.add(
        "status", call.org.id, post=post.id, state=state, was=post.state, deleted=post.deleted
    )
    reply = Reply(200, {"id": post.id, "state": state})
    if call.fault is not None and call.fault.kind == "killed_in_release":
        return reply
    pace = call.sandbox.pace
    await asyncio.sleep(pace.draw(pace.timing.queue_to_start))
    await call.sandbox.workflows.restart(post.id, state)
    return reply


async def _put_settings(call: Call) -> Reply:
    """Loses the date's milliseconds, as the real one does."""
    post = call.sandbox.posts.owned(call.org.id, call.params["id"])
    if post is None:
        raise Refused(replies.missing("Post not found"))
    given = call.body.get("settings") if isinstance(call.body, dict) else None
    new = given if isinstance(given, dict) else {}
    settings = {**post.settings, **new, "__type": post.settings.get("__type")}
    call.sandbox.posts.set_settings(post.id, settings, without_milliseconds(post.date_ms))
    return Reply(200, {"postId": post.id, "publishDate": iso_seconds(post.date_ms)})


def _own_post(call: Call) -> Post:
    post = call.sandbox.posts.owned(call.org.id, call.params["id"])
    if post is None:
        raise Refused(replies.bad_request("Post not found"))
    return post


async def _put_release_id(_call: Call) -> Reply:
    return replies.internal_error()


async def _missing(_call: Call) -> Reply:
    return Reply(200, [])


async def _delete_post(call: Call) -> Reply:
    post = call.sandbox.posts.owned(call.org.id, call.params["id"])
    if post is None or post.deleted:
        return replies.internal_error()
    return await _delete(call, post.group)


async def _delete_group(call: Call) -> Reply:
    return await _delete(call, call.params["group"])


async def _delete(call: Call, group: str) -> Reply:
    for post in call.sandbox.posts.delete_group(call.org.id, group):
        call.sandbox.ledger.add("deleted", call.org.id, post=post.id, state=post.state)
        await call.sandbox.workflows.stop(post.id, why="deleted")
    return Reply(200, {"error": True})


_ENDPOINTS: Mapping[str, Callable[[Call], Awaitable[Reply]]] = {
    "GET /is-connected": _is_connected,
    "GET /integrations": _integrations,
    "GET /groups": _groups,
    "POST /upload": _upload,
    "POST /upload-from-url": _upload_from_url,
    "POST /posts": _create_posts,
    "GET /posts": _list_posts,
    "PUT /posts/:id/status": _put_status,
    "PUT /posts/:id/settings": _put_settings,
    "PUT /posts/:id/release-id": _put_release_id,
    "GET /posts/:id/missing": _missing,
    "DELETE /posts/:id": _delete_post,
    "DELETE /posts/group/:group": _delete_group,
    "GET /find-slot/:integration": _find_slot,
    "GET /integration-settings/:id": _integration_settings,
    "POST /integration-trigger/:id": _integration_trigger,
    "GET /notifications": _notifications,
}
