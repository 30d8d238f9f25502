"""`POST /posts`: a job of Pressroom's, and edits of posts that it names by their ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from flask import Response
from pydantic import RootModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import db
from shared.domain.networks.thread_support import takes_threads
from shared.domain.rows.post_rows import Row
from shared.domain.rows.thread_parts import RowPart
from shared.domain.timing.local_time import whole_second
from shared.domain.timing.spacing import LATEST
from shared.errors import FieldError
from shared.intake import validation
from shared.intake.schemas import Defaults
from shared.intake.targets import Target
from shared.intake.validation import Checked, Order, Placed, WakeUps
from shared.models import Job, Post
from web.auth import current_profile
from web.http_layer.idempotency import Reply, find_answer
from web.postiz_front import bodies, edits, media_paths, repeats, replies
from web.postiz_front.blueprint import count_call, front
from web.postiz_front.call import (
    NOW,
    UPDATE,
    Element,
    Part,
    PostCall,
    read_call,
    require_channel_ids,
)
from web.postiz_front.errors import describe_fault
from web.request_parsing.known_target import answer_for_target
from web.request_parsing.upload_items import Item
from web.serializers.rows import location_header
from web.services import current_services

#: Faults that are a network's rule in Postiz, and in which words, where they are known.
_RULES: Mapping[str, str | None] = {
    "caption_too_long": "post is too long, please fix it",
    "media_refused": None,
}
_NO_MEDIA = "No video / images selected"


class Made(RootModel[list[dict[str, str]]]):
    """A post's id and channel, for each element."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A call that was read, with what it names. `images`: the id of a medium by its address.

    `edited`: the posts that its elements change, by their number.
    """

    profile_id: str
    call: PostCall
    now: datetime
    images: Mapping[str, str]
    edited: Mapping[int, Post] = field(default_factory=dict)

    @property
    def publish_at(self) -> datetime:
        return whole_second(self.now if self.call.kind == NOW else self.call.date)

    def media_ids(self, part: Part) -> list[str]:
        """One that is not ours is no id of anything, so the rules refuse it by its place."""
        return [media_paths.find_own_id(path) or self.images.get(path, path) for path in part.paths]


@front.post("/posts")
def create_posts() -> Response:
    body, content = bodies.read_body()
    count_call()
    wanted = require_channel_ids(body)
    with current_services().database.reading() as session:
        profile_id = current_profile(session)
    if (earlier := find_answer(content)) is not None:
        return earlier
    links = media_paths.check_links(profile_id, body)
    response = answer_for_target(
        partial(_make_posts, body=body, links=links), wanted, content=content
    )
    repeats.mark_repeat(response, content)
    return response


def _make_posts(
    session: Session, profile_id: str, target: Target, *, body: Any, links: Mapping[str, Item]
) -> Reply:
    call = read_call(body, target.channels)
    work = Work(
        profile_id=profile_id,
        call=call,
        now=db.read_clock(session),
        images=media_paths.add_links(session, links),
        edited=_find_edited(session, profile_id, call),
    )
    if call.date >= LATEST:
        raise replies.bad_request([f"date must lie before {LATEST:%Y}"])
    for number in sorted(work.edited, key=lambda each: work.edited[each].id):
        _edit_post(session, work, number)
    job, wake, made = _accept_others(session, work, target)
    ids = {**{number: post.id for number, post in work.edited.items()}, **made}
    shown = [
        {"postId": str(ids[number]), "integration": element.channel_id}
        for number, element in enumerate(call.elements)
    ]
    return Reply(
        body=Made(shown),
        status=201,
        headers={} if job is None else location_header(job),
        afterwards=lambda: _wake(target.account.id, wake, bool(work.edited)),
    )


def _wake(account_id: int, wake: WakeUps | None, has_edited: bool) -> None:
    waker = current_services().waker
    if wake is not None:
        wake.send(waker)
    if has_edited:
        waker.look(account_id)


def _find_edited(session: Session, profile_id: str, call: PostCall) -> dict[int, Post]:
    """As in Postiz an unknown id means a new post; but not where the call only updates posts, and
    what somebody has deleted is not published by an edit that did not know of it."""
    found: dict[int, Post] = {}
    for number, element in enumerate(call.elements):
        known = element.post_id
        post = edits.find_post(session, profile_id, known) if known is not None else None
        if post is None and known is not None and edits.was_deleted(session, profile_id, known):
            raise replies.bad_request([f"posts.{number}.value.0.id Post not found: it was deleted"])
        if post is None and call.kind == UPDATE:
            raise replies.bad_request(f"posts.{number}.value.0.id Post not found")
        if post is not None and post.integration_id != element.channel_id:
            message = f"posts.{number}.integration.id must be {post.integration_id}, as the post's"
            raise replies.bad_request([message])
        if post is not None and post.id in {each.id for each in found.values()}:
            raise replies.bad_request([f"posts.{number}.value.0.id is named twice"])
        if post is not None:
            found[number] = post
    return found


def _edit_post(session: Session, work: Work, number: int) -> None:
    element, post = work.call.elements[number], work.edited[number]
    first, *later = element.parts
    has_thread = takes_threads(post.integration_identifier or "")
    values: dict[str, Any] = {"caption": first.content, "media_ids": work.media_ids(first)}
    if has_thread and later:  # else the parts below it stay, as in Postiz
        values["thread"] = [
            {
                "caption": part.content,
                "media_ids": work.media_ids(part),
                "delay_minutes": part.delay_minutes,
            }
            for part in later
        ]
    if element.settings is not None:
        values["settings"] = {element.channel_id: element.settings}
    edits.change_post(
        session,
        post,
        edits.read_content(values, f"posts.{number}.value.0."),
        publish_at=work.publish_at,
        as_draft=None if work.call.kind == UPDATE else work.call.is_draft,
    )
    if work.call.kind != UPDATE and not work.call.is_draft:
        edits.start_again(session, post)


def _accept_others(
    session: Session, work: Work, target: Target
) -> tuple[Job | None, WakeUps | None, dict[int, int]]:
    """The job of the elements that make new posts, if there are any: its posts by their number."""
    rows = [
        _row_of(work, number, element)
        for number, element in enumerate(work.call.elements)
        if number not in work.edited
    ]
    if not rows:
        return None, None, {}
    settings = current_services().settings
    order = Order(
        kind="publish",
        profile_id=work.profile_id,
        body=Defaults(save_as_draft=work.call.is_draft),
        rows=lambda _session, _account: Placed(rows=rows),
        now=work.now,
        options={"timezone": "UTC"},
        rename_faults=_rename_faults,
    )
    checked = validation.check_order(session, order, target, settings)
    _require_faultless(checked)
    job, wake = validation.accept_order(session, checked, settings)
    of_job = select(Post.position, Post.id).where(Post.job_id == job.id)
    return job, wake, {row.position: row.id for row in session.execute(of_job)}


def _row_of(work: Work, number: int, element: Element) -> Row:
    first, *later = element.parts
    return Row(
        position=number,
        path=f"posts.{number}.",
        caption=first.content,
        settings={element.channel_id: element.settings or {}},
        media_ids=work.media_ids(first),
        integration_ids=[element.channel_id],
        publish_at=work.publish_at,
        thread=[
            RowPart(
                place=f"value.{place}",
                caption=part.content,
                media_ids=work.media_ids(part),
                delay_minutes=part.delay_minutes,
            )
            for place, part in enumerate(later, start=1)
        ],
        drops_thread=True,  # as Postiz does
    )


def _rename_faults(faults: Sequence[FieldError]) -> list[FieldError]:
    """As the body names its fields."""
    return [FieldError(**{**vars(fault), "field": _rename(fault.field)}) for fault in faults]


def _rename(place: str) -> str:
    head, _, name = place.partition(".")[2].partition(".")
    prefix = f"posts.{head}."
    if name.startswith("integration_ids"):
        return f"{prefix}integration.id"
    if name.startswith("settings."):
        return f"{prefix}settings.{name.rpartition('.')[2]}"
    if not name.startswith("value."):
        name = f"value.0.{name}"
    name = name.replace(".media_ids", ".image").replace(".caption", ".content")
    return prefix + name


def _require_faultless(checked: Checked) -> None:
    """Raises `Refused`: with the first network's rule that is broken, else with all faults."""
    if not checked.faults:
        return
    for row in checked.invalid:
        for fault in row.faults:
            if fault.code in _RULES and not checked.order.body.save_as_draft:
                raise _network_rule(checked, row.row, fault)
    raise replies.bad_request([describe_fault(fault) for fault in checked.faults])


def _network_rule(checked: Checked, row: Row, fault: FieldError) -> replies.Refused:
    channel = (checked.known.channels or {}).get(row.integration_ids[0])
    words = _RULES[fault.code]
    identifier = channel.identifier if channel else None
    if words is None:
        words = _NO_MEDIA if identifier == "tiktok" and not row.media_ids else fault.message
    return replies.provider_rule(
        provider=identifier, name=channel.name if channel else None, message=words
    )
