"""The feed: planned and published posts as events of a calendar (RFC 5545)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from icalendar import Calendar, Event
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.crypto import hash_secret
from shared.domain.publishing.states import PostState
from shared.models import Post

PAST, FUTURE = timedelta(days=90), timedelta(days=365)
#: Events of a feed, each of which costs half a millisecond: of more, those nearest to now.
MOST = 2000
#: Characters of a post that are read, and of its title.
_LONGEST_TEXT, _LONGEST_TITLE = 500, 60
_TENTATIVE, _CONFIRMED = "TENTATIVE", "CONFIRMED"
#: What is planned or published; what failed, was cancelled, or is only a draft is not shown.
STATUS: Mapping[PostState, str] = {
    PostState.WAITING_APPROVAL: _TENTATIVE,
    PostState.HELD: _TENTATIVE,
    PostState.PENDING: _CONFIRMED,
    PostState.STAGING: _CONFIRMED,
    PostState.STAGED: _CONFIRMED,
    PostState.RELEASING: _CONFIRMED,
    PostState.SCHEDULED: _CONFIRMED,
    PostState.RESCHEDULING: _CONFIRMED,
    PostState.PUBLISHED: _CONFIRMED,
}
_IN_WORDS: Mapping[PostState, str] = {
    PostState.WAITING_APPROVAL: "Waits for approval",
    PostState.HELD: "Is late, and waits for you",
    PostState.PUBLISHED: "Published",
}


@dataclass(frozen=True, kw_only=True)
class FeedEntry:
    """A post in the calendar. `content`: its beginning. `at`: when it goes or went out."""

    post_id: int
    channel: str
    content: str
    at: datetime
    state: PostState
    revision: int
    updated_at: datetime
    release_url: str | None


def read_entries(session: Session, visible: VisibleProfiles) -> list[FeedEntry]:
    """In the order of their times."""
    at = func.coalesce(Post.published_at, Post.publish_at)
    distance = func.abs(func.extract("epoch", at - func.now()))
    rows = session.execute(
        select(
            Post.id,
            func.coalesce(Post.integration_name, Post.integration_id).label("channel"),
            func.left(Post.content, _LONGEST_TEXT).label("content"),
            at.label("at"),
            Post.state,
            Post.revision,
            Post.updated_at,
            Post.release_url,
        )
        .where(
            visible.condition(Post),
            Post.state.in_(STATUS),
            ~Post.as_draft,
            Post.publish_at.between(func.now() - PAST, func.now() + FUTURE),
        )
        .order_by(distance, Post.id)
        .limit(MOST)
    )
    entries = [
        FeedEntry(
            post_id=row.id,
            channel=row.channel,
            content=row.content,
            at=row.at,
            state=PostState(row.state),
            revision=row.revision,
            updated_at=row.updated_at,
            release_url=row.release_url,
        )
        for row in rows
    ]
    return sorted(entries, key=lambda entry: (entry.at, entry.post_id))


def compute_tag(entries: Sequence[FeedEntry]) -> str:
    """The same for the same feed."""
    return hash_secret(*map(repr, entries))


def render_feed(entries: Sequence[FeedEntry]) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//Pressroom//Posts//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Posts")
    for entry in entries:
        calendar.add_component(_make_event(entry))
    feed: bytes = calendar.to_ical()
    return feed


def _make_event(entry: FeedEntry) -> Event:
    """A moment that keeps nobody busy; its id stays, whatever becomes of the post."""
    event = Event()
    event.add("uid", f"post-{entry.post_id}@pressroom")
    event.add("dtstamp", entry.updated_at)
    event.add("dtstart", entry.at)
    event.add("sequence", entry.revision - 1)
    event.add("summary", f"{_clean_text(entry.channel)}: {_first_words(entry.content)}")
    event.add("description", _describe_entry(entry))
    event.add("status", STATUS[entry.state])
    event.add("transp", "TRANSPARENT")
    if entry.state is PostState.PUBLISHED and entry.release_url:
        event.add("url", _clean_text(entry.release_url))
    return event


def _first_words(content: str) -> str:
    words = _clean_text(content)
    if len(words) <= _LONGEST_TITLE:
        return words or "(no text)"
    whole, _, _ = words[: _LONGEST_TITLE + 1].rpartition(" ")
    return f"{whole or words[:_LONGEST_TITLE]}…"


def _describe_entry(entry: FeedEntry) -> str:
    lines = [_clean_text(line) for line in entry.content.splitlines()]
    return "\n".join([_IN_WORDS.get(entry.state, "Planned"), *lines])


def _clean_text(text: str) -> str:
    """On one line: a control character in a value could begin another one."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
