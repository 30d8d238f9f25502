"""POST /posts, element after element: not a transaction, and nothing keeps it from repeating."""

import asyncio
from dataclasses import replace
from typing import Any

from . import replies
from .dates import iso, this_minute
from .faults import Fault, Subject
from .posts import DRAFT, PUBLISHED, QUEUE, Post
from .replies import Refused
from .state import Sandbox
from .validation import Element, PostCall

ALREADY_PUBLISHED = "This post was already published"


async def create(
    sandbox: Sandbox, org: str, call: PostCall, fault: Fault | None
) -> list[dict[str, str]]:
    """What the reply lists, where no fault stands in the way."""
    _refuse_published(sandbox, org, call)
    if fault is not None and fault.kind == "refused_by_network":
        _refuse_for_network(sandbox, org, call, fault)
    created = []
    for index, element in enumerate(call.elements):
        if fault is not None and fault.kind == "stop_midway":
            _stop_midway(sandbox, org, call, index, fault)
        await asyncio.sleep(sandbox.pace.timing.element_delay)
        post = _place(sandbox, org, call, element)
        created.append({"postId": post.id, "integration": post.integration})
        if call.type != "update":
            sandbox.workflows.restart_aside(post.id, post.state)
    return created


def _refuse_published(sandbox: Sandbox, org: str, call: PostCall) -> None:
    if call.type in ("draft", "update"):
        return
    for element in call.elements:
        known = sandbox.posts.owned(org, element.values[0].id)
        if known and known.state == PUBLISHED:
            raise Refused(replies.bad_request(ALREADY_PUBLISHED))


def _refuse_for_network(sandbox: Sandbox, org: str, call: PostCall, fault: Fault) -> None:
    """As if the network had a rule against the first of the posts that the fault is about."""
    channels = sandbox.orgs.integrations(org)
    for element in call.elements:
        first, channel = element.values[0], channels[element.integration]
        if fault.concerns(Subject(id=first.id, integration=channel.id, content=first.content)):
            message = fault.args.get("message", "post is too long, please fix it")
            refusal = replies.provider_rule(
                provider=channel.identifier, name=channel.name, message=message
            )
            raise Refused(refusal)


def _stop_midway(sandbox: Sandbox, org: str, call: PostCall, index: int, fault: Fault) -> None:
    """After so many elements, and so many parts of the next one."""
    if index != int(fault.args.get("elements", 1)):
        return
    if parts := int(fault.args.get("parts", 0)):
        element = call.elements[index]
        _place(sandbox, org, call, replace(element, values=element.values[:parts]))
    raise Refused(replies.internal_error())


def _place(sandbox: Sandbox, org: str, call: PostCall, element: Element) -> Post:
    date_ms = this_minute(sandbox.now_ms()) if call.type == "now" else call.date_ms
    known = sandbox.posts.owned(org, element.values[0].id)
    if known is None:
        _replace_group(sandbox, org, element)
        post = sandbox.posts.create(org, call, element, state=_state(call), date_ms=date_ms)
        _note(sandbox, "created", post, call)
        return post
    state = known.state if call.type == "update" else _state(call)
    post = sandbox.posts.change(known, call, element, state=state, date_ms=date_ms)
    _note(sandbox, "parked" if call.type == "update" else "changed", post, call)
    return post


def _state(call: PostCall) -> str:
    return DRAFT if call.type == "draft" else QUEUE


def _replace_group(sandbox: Sandbox, org: str, element: Element) -> None:
    if element.group:
        for post in sandbox.posts.delete_group(org, element.group):
            sandbox.ledger.add("deleted", org, post=post.id, why="group replaced")


def _note(sandbox: Sandbox, kind: str, post: Post, call: PostCall) -> None:
    facts: dict[str, Any] = {
        "post": post.id,
        "integration": post.integration,
        "content": post.content,
        "state": post.state,
        "publish_date": iso(post.date_ms),
        "type": call.type,
    }
    sandbox.ledger.add(kind, post.org, **facts)
