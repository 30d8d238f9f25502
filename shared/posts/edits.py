"""Edits: new content, media, settings or time for posts that were accepted before, or whether they
are drafts.

An edit is first written beside the post's values (`Post.edit`), and its revision raised. It
replaces them at once, unless a call that carries the old ones may be under way, or they may be
published already. Nothing of a post with a waiting edit is staged or released, so what is sent is
always one whole revision.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Row,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, array
from sqlalchemy.orm import Session

from shared.accounts import channel_states
from shared.domain.publishing.reconciliation import CANCEL_AHEAD
from shared.domain.publishing.states import PostState
from shared.errors import Conflict
from shared.jobs import progress
from shared.media import post_media, upload_queue
from shared.models import Handover, Post
from shared.posts import handovers, transitions
from shared.posts.approval import is_approved
from shared.posts.cancel_retry import may_be_live

BATCH = 500
#: A draft that is older when it is released is too old for Postiz's own rescue, which looks back
#: two days: its date there is up to 12 hours before it was made.
OLDEST_DRAFT = timedelta(hours=36)
TOO_LATE = "too_late_to_edit"
#: In the timeline.
EDITED = "edited"
#: States in which an edit replaces the post's values without a state change.
_IN_PLACE = (
    PostState.PENDING,
    PostState.WAITING_APPROVAL,
    PostState.HELD,
    PostState.FAILED,
    PostState.CANCELLED,
)
#: States in which Postiz has what people there see and may have changed: it is taken back first.
_TAKEN_BACK = (PostState.SCHEDULED, PostState.DRAFT)
#: States in which it waits: for the end of the call, and for Postiz's answer that the post is gone.
_IN_A_CALL = (PostState.STAGING, PostState.RESCHEDULING)
_WAITS = (*_IN_A_CALL, PostState.CANCELLING)
EDITABLE = (*_IN_PLACE, PostState.STAGED, PostState.DRAFT, *_IN_A_CALL)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """New values of a post; None leaves the old one."""

    content: str | None = None
    media_ids: Sequence[int] | None = None
    settings: Mapping[str, Any] | None = None
    thread: Sequence[Mapping[str, Any]] | None = None
    publish_at: datetime | None = None
    as_draft: bool | None = None

    def as_json(self) -> dict[str, Any]:
        values = {
            "content": self.content,
            "media_ids": None if self.media_ids is None else list(self.media_ids),
            "settings": None if self.settings is None else dict(self.settings),
            "thread": None if self.thread is None else list(self.thread),
            "publish_at": None if self.publish_at is None else self.publish_at.isoformat(),
            "as_draft": self.as_draft,
        }
        return {name: value for name, value in values.items() if value is not None}


def is_editable() -> ColumnElement[bool]:
    """Whether the post's release is not under way; in Postiz's calendar, until its time is near."""
    in_time = Post.publish_at >= func.clock_timestamp() + CANCEL_AHEAD
    in_calendar = (Post.state == PostState.SCHEDULED) & in_time & Post.error_code.is_(None)
    return (Post.state.in_(EDITABLE) | in_calendar) & Post.take_back.is_(False)


def refuse(post: Post) -> NoReturn:
    """Raises `Conflict` for a post that is not `is_editable`."""
    raise Conflict(f"The post is {post.state}: too late to edit it", code=TOO_LATE)


def edit_posts(session: Session, edits: Mapping[int, Edit]) -> None:
    """Edit posts that are `is_editable` and locked by this transaction."""
    if not edits:
        return
    values = {post_id: edit.as_json() for post_id, edit in edits.items()}
    new = {str(post_id): of_post for post_id, of_post in values.items()}
    of_post = cast(literal(new, JSONB), JSONB)[cast(Post.id, Text)]
    waiting = func.coalesce(Post.edit, cast(literal({}, JSONB), JSONB))
    raised = {"edit": waiting.concat(of_post), "revision": Post.revision + 1}
    _update_posts(session, edits, raised)
    by_names: dict[str, list[int]] = defaultdict(list)
    for post_id, named in values.items():
        by_names[", ".join(named)].append(post_id)
    for names, ids in by_names.items():
        detail: ColumnElement[Any] = "revision " + cast(Post.revision, Text) + f": {names}"
        transitions.add_events(session, ids, EDITED, detail)
    apply_edits(session, list(edits))


def _update_posts(session: Session, ids: Collection[int], values: Mapping[str, Any]) -> None:
    query = update(Post).where(Post.id.in_(ids)).values({**values, "updated_at": func.now()})
    session.execute(query, execution_options={"synchronize_session": False})


def _take_out_of_postiz(session: Session, ids: Sequence[int]) -> list[int]:
    """Returns which."""
    found: list[int] = []
    for state in _TAKEN_BACK:
        edited = Post.id.in_(ids), Post.state == state, Post.edit.is_not(None)
        taken = session.scalars(select(Post.id).where(*edited)).all()
        transitions.move_posts(
            session,
            taken,
            state,
            PostState.RESCHEDULING,
            event="rescheduling",
            values={"lease_until": func.now(), "track_at": None},
        )
        found += taken
    return found


def apply_edits(session: Session, ids: Collection[int]) -> None:
    """Let waiting edits replace the values of these posts, where nothing is under way with them.

    The posts are locked by this transaction.
    """
    taken_back = _take_out_of_postiz(session, list(ids))
    own_time = and_(Post.handoff == "staged", is_approved(), _is_recent_enough()).label("own_time")
    found = select(Post.id, Post.state, Post.profile_id, Post.account_id, Post.edit, own_time)
    rows = session.execute(found.where(Post.id.in_(ids), *_may_take_effect())).all()
    _replace_in_place(session, [row.id for row in rows if row.state in _IN_PLACE])
    moved = [row.id for row in rows if _only_moves_release(row)]
    at_its_time = func.greatest(_NEW_VALUES["publish_at"], func.now())  # and settled: see due_posts
    _update_posts(session, moved, {**_NEW_VALUES, "release_at": at_its_time, "waits_for": _WAIT})
    staged = {row.id for row in rows if row.state == PostState.STAGED} - set(moved)
    _stage_anew(session, sorted(staged))
    progress.reopen_jobs(session, [*taken_back, *staged])
    _request_uploads(session, rows)


def _may_take_effect() -> tuple[ColumnElement[bool], ...]:
    """If the old values may be published, the new ones wait for a person's word (a retry)."""
    ended = Post.state.in_((PostState.FAILED, PostState.CANCELLED))
    return Post.edit.is_not(None), Post.state.not_in(_WAITS), ~(ended & may_be_live())


def _is_recent_enough() -> ColumnElement[bool]:
    """Whether the post's draft is `OLDEST_DRAFT` at most when it is released at its edited time."""
    made = select(Handover.created_at).where(handovers.is_alive_of_post()).scalar_subquery()
    return func.coalesce(_NEW_VALUES["publish_at"] <= made + OLDEST_DRAFT, false())


def _only_moves_release(row: Row[Any]) -> bool:
    """A draft without a time in Postiz, not to be approved, of which only the time is edited."""
    return row.state == PostState.STAGED and row.own_time and set(row.edit) == {"publish_at"}


def _new_media() -> ColumnElement[Any]:
    texts = func.jsonb_array_elements_text(Post.edit["media_ids"]).column_valued("medium")
    ids = select(func.array_agg(cast(texts, BigInteger)))
    none = cast(array([]), ARRAY(BigInteger))
    edited = func.coalesce(ids.scalar_subquery(), none)
    return case((Post.edit.has_key("media_ids"), edited), else_=Post.media_ids)


#: The values of a post after its edit.
_NEW_VALUES: Mapping[str, Any] = {
    "content": func.coalesce(Post.edit["content"].astext, Post.content),
    "settings": func.coalesce(Post.edit["settings"], Post.settings),
    "thread": func.coalesce(Post.edit["thread"], Post.thread),
    "publish_at": func.coalesce(
        cast(Post.edit["publish_at"].astext, DateTime(timezone=True)), Post.publish_at
    ),
    "media_ids": _new_media(),
    "as_draft": func.coalesce(cast(Post.edit["as_draft"].astext, Boolean), Post.as_draft),
    "edit": None,
}
#: An edit changes nothing about the post's channel: it goes on waiting for one that is not ready,
#: unless it is only to be a draft now.
_STILL_WAITS = and_(channel_states.waits_for_its_channel(), ~_NEW_VALUES["as_draft"])
_WAIT = case((_STILL_WAITS, Post.waits_for), else_="")
_REASON_OF_WAIT: Mapping[str, Any] = {
    column.key: case((_STILL_WAITS, column))
    for column in (Post.error_code, Post.error_message, Post.error_hint)
}
#: What was true of the old values only.
_TRIED_ANEW: Mapping[str, Any] = {
    "attempts": 0,
    "unclear_calls": 0,
    "pack_limit": None,
    "next_at": func.now(),
    "waits_for": _WAIT,
    "aside_until": None,
}


def _replace_in_place(session: Session, ids: Sequence[int]) -> None:
    in_future = _NEW_VALUES["publish_at"] > func.now()
    held = Post.id.in_(ids), Post.state == PostState.HELD
    let_go = session.scalars(select(Post.id).where(*held, in_future)).all()
    _update_posts(session, ids, {**_NEW_VALUES, **_TRIED_ANEW})
    detail = "it has a new time"
    transitions.move_posts(
        session, let_go, PostState.HELD, PostState.PENDING, event="let_go", detail=detail
    )
    transitions.ask_for_approval(session, ids)


def _stage_anew(session: Session, ids: Sequence[int]) -> None:
    """The draft in Postiz has the old values: it is deleted, and another one is made."""
    transitions.retire_handovers(session, ids, "edited", discard=True)
    transitions.move_posts(
        session,
        ids,
        PostState.STAGED,
        PostState.PENDING,
        event="to_stage_anew",
        values={**transitions.NOT_IN_POSTIZ, **_TRIED_ANEW, **_REASON_OF_WAIT, **_NEW_VALUES},
    )


def _request_uploads(session: Session, rows: Sequence[Row[Any]]) -> None:
    wanted: dict[tuple[str, int], set[int]] = defaultdict(set)
    for row in rows:
        wanted[row.profile_id, row.account_id].update(post_media.media_of_edit(row.edit))
    for (profile_id, account_id), media_ids in sorted(wanted.items()):
        upload_queue.request_uploads(session, sorted(media_ids), profile_id, account_id)


def is_due() -> tuple[ColumnElement[bool], ...]:
    """Posts whose waiting edits may replace their values now."""
    return *_may_take_effect(), Post.next_at <= func.now()


def lock_waiting(session: Session) -> Sequence[int]:
    """A batch of the posts that `is_due`, locked."""
    query = select(Post.id).where(*is_due()).order_by(Post.id).limit(BATCH)
    return session.scalars(query.with_for_update(key_share=True, skip_locked=True)).all()
