"""The page of an approval link: what would go out, to be approved or rejected without a key.

A decision names the revision that its form showed, so nobody approves what they did not see.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO
from zoneinfo import ZoneInfo

from flask import Response, redirect, request
from jinja2 import Environment
from sqlalchemy.orm import Session

from shared.approvals import decisions, links, shown_posts
from shared.approvals.shown_posts import ShownJob, ShownPost
from shared.domain.networks.media_types import MP4
from shared.domain.publishing.states import PostState
from shared.errors import Conflict, FileMissing, InvalidRequest, NotFound, PressroomError
from shared.models import ApprovalLink, Media, Post
from shared.models.base import is_id
from web.audit_trail import begin_link_change
from web.http_layer import problems
from web.media.files import stream_medium
from web.people.page_blueprint import create_page_blueprint
from web.people.rendering import Field, answer_page, read_form
from web.services import current_services

STYLE = "/approve.css"
_RULE = f"{links.PATH}<token>"
_HERE = Path(__file__).parent
_CSS = (_HERE / "page.css").read_text(encoding="utf-8")
_TITLE = "Posts to approve"
_DECISION, _NOTE = Field("decision", "Decision"), Field("note", "Note")
_APPROVE, _REJECT = "approve", "reject"
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PIECE = 65_536
#: Of a clip, in bytes: what one answer holds of it.
_PART = 4 * 1024**2
_SOON = "Approved: it goes out at its time"
_VERDICTS: Mapping[PostState, str] = {
    PostState.WAITING_APPROVAL: "Its channel is not known yet: come back in some minutes",
    PostState.PUBLISHED: "Published",
    PostState.CANCELLED: "Cancelled",
    PostState.CANCELLING: "Cancelled",
    PostState.FAILED: "It could not be published",
    PostState.HELD: "Not approved in time: it waits for those who planned it",
    PostState.DRAFT: "Approved: it is a draft in Postiz",
    PostState.RESCHEDULING: "It is being changed",
}

pages = create_page_blueprint("approval_page")


@pages.get(STYLE)
def show_style() -> Response:
    return Response(_CSS, mimetype="text/css", headers={"Cache-Control": "max-age=3600"})


@pages.get(_RULE)
def show_posts(token: str) -> Response:
    with current_services().database.transaction() as session:
        link = _open_link(session, token, lock=True)
        links.note_use(link)
        job = shown_posts.read_shown_job(session, link, after=_read_after())
    return _job_page(job)


def _open_link(session: Session, token: str, *, lock: bool = False) -> ApprovalLink:
    """Raises `NotFound`, and `TooManyRequests` for an address that guesses."""
    rates, address = current_services().rates, request.remote_addr or ""
    rates.refuse_guesses(address, token)
    try:
        link = links.find_link(session, token, lock=lock)
    except NotFound as error:
        if error.code == "link_unknown":
            rates.note_failure(address, token)
        raise
    rates.note_success(address, token)
    rates.count_request(f"approval-link {link.id}")
    return link


def _read_after() -> int:
    after = request.args.get("after", "")
    return int(after) if is_id(after) else 0


@pages.post(_RULE)
def decide_posts(token: str) -> Response:
    """Each post by itself: what has changed meanwhile, or was decided, is shown as it is now."""
    decision, note = read_form(_DECISION, _NOTE)
    seen = _read_seen()
    if decision not in {_APPROVE, _REJECT} or len(note) > decisions.MAX_NOTE:
        raise InvalidRequest("The form holds no decision, or too long a note")
    ours = current_services()
    with ours.database.transaction() as session:
        link = _open_link(session, token, lock=True)
        begin_link_change(link)
        posts = decisions.lock_posts_of_job(session, link.job_id, list(seen))
        rejection = note.strip() if decision == _REJECT else None
        refusals = _decide_each(session, link, {post: seen[post.id] for post in posts}, rejection)
        if decided := len(posts) - len(refusals):
            links.note_use(link, decided=decided)
        job = shown_posts.read_shown_job(session, link, after=_read_after())
        account_ids = {post.account_id for post in posts}
    for account_id in account_ids:
        ours.waker.stage(account_id)
    if refusals or not posts:
        return _refusal_page(job, refusals, dict.fromkeys(seen, note))
    after = f"?after={_read_after()}" if _read_after() else ""
    response = redirect(f"{request.path}{after}#post-{posts[0].id}", 303)
    assert isinstance(response, Response)
    return response


def _decide_each(
    session: Session, link: ApprovalLink, seen: Mapping[Post, int], rejection: str | None
) -> list[Conflict]:
    """Returns why posts were not decided. `rejection`: its note; None: they are approved."""
    refusals = []
    by = f"the link {link.name!r}"
    for post, revision in seen.items():
        try:
            if rejection is None:
                decisions.approve_post(session, post, by=by, revision=revision)
            else:
                decisions.reject_post(session, post, by=by, note=rejection, revision=revision)
        except Conflict as error:
            refusals.append(error)
    return refusals


def _read_seen() -> dict[int, int]:
    """The posts that the form showed, each with its revision."""
    seen: dict[int, int] = {}
    for text in request.form.getlist("seen")[: shown_posts.AT_ONCE]:
        post_id, _, revision = text.partition(":")
        if not (is_id(post_id) and is_id(revision)):
            raise InvalidRequest("The form names no posts")
        seen[int(post_id)] = int(revision)
    return seen


def _refusal_page(job: ShownJob, refusals: list[Conflict], notes: Mapping[int, str]) -> Response:
    if not refusals:
        return _job_page(
            job, "The form names no posts of this link", code="link_unknown", status=404
        )
    changed = [error for error in refusals if error.code == decisions.CHANGED]
    first = (changed or refusals)[0]
    words = {
        decisions.CHANGED: "has changed since you opened this page: here it is as it is now",
        decisions.NOT_WAITING: "was decided already: see below what became of it",
    }.get(first.code, "cannot be approved yet")
    number = sum(error.code == first.code for error in refusals)
    text = f"A post {words}" if number == 1 else f"{number} posts: each {words}"
    return _job_page(job, text, code=first.code, notes=notes, status=409)


def _job_page(
    job: ShownJob,
    problem: str = "",
    *,
    code: str = "",
    notes: Mapping[int, str] = MappingProxyType({}),
    status: int = 200,
) -> Response:
    return _answer(
        f"{_TITLE} for {job.profile_name}",
        problem,
        code=code,
        status=status,
        job=job,
        ready=[post for post in job.posts if post.is_ready],
        notes=notes,
    )


def _answer(title: str, problem: str, *, code: str, status: int, **values: object) -> Response:
    return answer_page(
        _TEMPLATE, status=status, title=title, problem=problem, code=code, style=STYLE, **values
    )


@pages.get(f"{_RULE}/media/<media_id>")
def show_medium(token: str, media_id: str) -> Response:
    """A picture or clip of a post of the link's job; its type is what we have recognised."""
    ours = current_services()
    with ours.database.transaction() as session:
        link = _open_link(session, token)
        medium = shown_posts.find_shown_medium(session, link, media_id)
    if not (_is_picture(medium) or _is_clip(medium)):
        raise NotFound("There is no such file")
    key = medium.storage_key or ""
    try:
        if _is_clip(medium):
            _bound_range()
            return stream_medium(medium, key, f"approval-link {link.id}")
        return Response(_read_pieces(ours.storage.open(key)), mimetype=medium.mime)
    except FileMissing as error:
        raise NotFound("The file is not kept any more") from error


def _bound_range() -> None:
    """A player that asks for all of a clip gets a part: it asks on, and holds nothing meanwhile."""
    asked = request.range.ranges if request.range else ()
    for begin, end in asked[:1]:
        last = min(end or begin + _PART, begin + _PART) - 1
        if begin >= 0:
            request.environ["HTTP_RANGE"] = f"bytes={begin}-{last}"


def _read_pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _is_picture(medium: Media) -> bool:
    return medium.storage_key is not None and medium.mime in _PICTURES


def _is_clip(medium: Media) -> bool:
    return medium.storage_key is not None and medium.mime == MP4.mime


def _describe_medium(medium: Media) -> str:
    parts = [medium.name or f"File {medium.id}", medium.mime or "not fetched yet"]
    if medium.width and medium.height:
        parts.append(f"{medium.width} x {medium.height}")
    if medium.duration:
        parts.append(f"{medium.duration:.0f} s")
    return ", ".join(parts)


def _describe_verdict(post: ShownPost) -> str:
    if post.rejection is not None:
        return f"Rejected: {post.rejection}"
    return _VERDICTS.get(post.state, _SOON)


def _format_time(moment: datetime, zone: str) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    offset = "" if zone == "UTC" else f", UTC{local.isoformat()[-6:]}"
    return f"{local:%a %d %B %Y, %H:%M} ({zone}{offset})"


def _show_problem(error: PressroomError) -> Response:
    answer = problems.answer_known_error(error)
    page = _answer(
        _TITLE, problems.describe_error(error), code=error.code, status=answer.status_code
    )
    if wait := answer.headers.get("Retry-After"):
        page.headers["Retry-After"] = wait
    return page


pages.register_error_handler(PressroomError, _show_problem)
_ENVIRONMENT = Environment(autoescape=True, trim_blocks=True)
_ENVIRONMENT.globals.update(
    describe=_describe_medium,
    in_words=_describe_verdict,
    in_zone=_format_time,
    is_clip=_is_clip,
    is_picture=_is_picture,
    max_note=decisions.MAX_NOTE,
)
_TEMPLATE = _ENVIRONMENT.from_string((_HERE / "page.html").read_text(encoding="utf-8"))
