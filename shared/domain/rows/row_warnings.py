"""Warnings about rows that are published anyway: guesses, and what was assumed or not checked.

What is certain is an error (shared/domain/networks/post_rules.py). A warning about many rows is
given once, with the numbers of the rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.networks.caption_length import bare_links, weighted_length
from shared.domain.networks.channel import Channel
from shared.domain.networks.channel_states import NOT_READY
from shared.domain.networks.limits import KINDS, LIMITS, Limit
from shared.domain.networks.medium import Medium
from shared.domain.networks.network_settings import NETWORKS
from shared.domain.networks.rate_windows import NO_ROW, Dated, find_excess_rows
from shared.domain.networks.thread_support import explain_no_threads
from shared.domain.networks.video_warnings import find_video_warnings
from shared.domain.networks.warning import RowWarning, WarningText, limit_warning
from shared.domain.rows.clock_changes import CLOCK_CHANGES
from shared.domain.rows.earlier_posts import EarlierPost
from shared.domain.rows.post_rows import CheckedRow, Known, PlannedPost, Row


def find_warnings(
    rows: Iterable[CheckedRow], known: Known, *, now: datetime, drafts: bool = False
) -> list[RowWarning]:
    """All warnings about the rows that have no faults.

    A post that was due before `now` goes out now; `drafts` are not published by themselves.
    """
    found = _WarningCollector()
    posts = [post for row in rows for post in row.posts]
    checker = _Checker(known=known)
    for post in posts:
        for said in checker.of(post):
            found.add(said, post.row.position)
    for said, index in () if drafts else _find_rate_warnings(posts, known, now):
        found.add(said, index)
    for said, index in _find_unused_names(posts, known):
        found.add(said, index)
    return found.advice()


class _WarningCollector:
    """The warnings, in the order in which each was found first."""

    def __init__(self) -> None:
        self._indexes: dict[WarningText, dict[int, None]] = {}

    def add(self, said: WarningText, index: int) -> None:
        self._indexes.setdefault(said, {})[index] = None

    def advice(self) -> list[RowWarning]:
        return [
            RowWarning(said=said, indexes=sorted(indexes))
            for said, indexes in self._indexes.items()
        ]


@dataclass(kw_only=True)
class _Checker:
    """Checks posts one by one; the warnings of a medium on a channel are computed once."""

    known: Known
    _media: dict[tuple[int, str], list[WarningText]] = field(default_factory=dict)

    def of(self, post: PlannedPost) -> Iterator[WarningText]:
        identifier = post.channel.identifier
        if post.channel.trouble:
            yield _not_ready_warning(post.channel)
        texts = [post.content, *(part.content for part in post.thread)]
        if any("<" in text for text in texts):
            yield _HTML
        if post.row.clock_change:
            yield CLOCK_CHANGES[post.row.clock_change]
        if post.has_lost_thread:
            yield _lost_thread_warning(post)
        if identifier is None:
            yield _UNCHECKED
            return
        if identifier not in NETWORKS:
            yield _unknown_network_warning(identifier)
        if post.assumed:
            yield _defaults_warning(identifier, post)
        if identifier == "x" and any(_may_be_too_long(text, post, self.known) for text in texts):
            yield _LINKS
        for medium in _media_of_all(post, self.known):
            yield from self._medium_warnings(medium, identifier, post.channel)

    def _medium_warnings(
        self, medium: Medium, identifier: str, channel: Channel
    ) -> list[WarningText]:
        key = (medium.id, channel.id)
        if key not in self._media:
            limits = self.known.limits(channel)
            self._media[key] = list(find_video_warnings(medium, identifier, limits))
        return self._media[key]


_UNCHECKED = WarningText(
    code="integrations_unknown",
    message="This Postiz's integrations are not known yet, so their rules were not checked",
    remedy="They are checked before publishing; a post that breaks one then fails, and says why.",
)
_HTML = WarningText(
    code="caption_is_changed",
    message="Postiz treats a caption that has < as HTML: what looks like a tag is removed, and an"
    " & becomes &amp;",
    remedy="Write it without <.",
)
_LINKS = WarningText(
    code="caption_may_be_too_long",
    message="X counts an address without https:// as 23 characters if it treats it as a link",
    remedy="Shorten the caption, or write the address with https://.",
)


def _not_ready_warning(channel: Channel) -> WarningText:
    return WarningText(
        code=NOT_READY,
        message=f"{channel.name or channel.id} cannot publish now: {channel.trouble}",
        remedy="Its posts wait, and go on by themselves when it is ready again.",
    )


def _media_of_all(post: PlannedPost, known: Known) -> list[Medium]:
    """Of the first part and of those after it."""
    below = [medium for planned in post.thread for medium in known.media_of(planned.part)]
    return [*known.media_of(post.row), *below]


def _lost_thread_warning(post: PlannedPost) -> WarningText:
    reason = explain_no_threads(post.channel.identifier, post.settings)
    return WarningText(
        code="thread_left_out",
        message=f"{reason}: the first part is published alone",
        remedy="Leave this integration out if the thread matters.",
    )


def _unknown_network_warning(identifier: str) -> WarningText:
    return WarningText(
        code="unknown_network",
        message=f"no rules are known for {identifier}: Postiz decides",
        remedy="Try one post before a bulk.",
    )


def _defaults_warning(identifier: str, post: PlannedPost) -> WarningText:
    """Says that there is a default title, but not which: it differs from row to row."""
    shown = (
        {**post.assumed, "title": "the caption's first line"}
        if _has_default_title(post)
        else post.assumed
    )
    words = ", ".join(f"{name} {_format_value(value)}" for name, value in shown.items())
    return WarningText(
        code="default_setting_used",
        message=f"{identifier} requires settings that were not given, so these are used: {words}",
        remedy=f'Give them as "settings": {{"{identifier}": {{…}}}} to use other values.',
    )


def _has_default_title(post: PlannedPost) -> bool:
    return "title" in post.assumed


def _format_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _may_be_too_long(text: str, post: PlannedPost, known: Known) -> bool:
    limit = known.limits(post.channel).get("characters")
    extra = bare_links(text)
    if not extra or limit is None or limit.value is None:
        return False
    return weighted_length(text) + extra > limit.value


def _find_rate_warnings(
    posts: Sequence[PlannedPost], known: Known, now: datetime
) -> Iterator[tuple[WarningText, int]]:
    """Posts beyond a network's rate limit; posts that were accepted before count too."""
    for channel, group in _by_channel(posts):
        before = known.before.get(channel.id, ())
        for name, limit in known.limits(channel).items():
            if KINDS[name].window is not None and not limit.shared:
                dated = _list_dated_posts(group, before, name, known, now)
                yield from _find_excess_warnings(dated, channel, name, limit)
    for identifier, group in _by_network(posts):
        before = [
            earlier for id_ in known.siblings(identifier) for earlier in known.before.get(id_, ())
        ]
        for name, limit in LIMITS.get(identifier, {}).items():
            if KINDS[name].window is not None and limit.shared:
                own_limit = known.limits(Channel(id=identifier, identifier=identifier))[name]
                dated = _list_dated_posts(group, before, name, known, now)
                yield from _find_excess_warnings(dated, group[0].channel, name, own_limit)


def _by_channel(posts: Sequence[PlannedPost]) -> Iterable[tuple[Channel, list[PlannedPost]]]:
    found: dict[Channel, list[PlannedPost]] = defaultdict(list)
    for post in posts:
        found[post.channel].append(post)
    return found.items()


def _by_network(posts: Sequence[PlannedPost]) -> Iterable[tuple[str, list[PlannedPost]]]:
    found: dict[str, list[PlannedPost]] = defaultdict(list)
    for post in posts:
        found[post.channel.identifier or ""].append(post)
    return found.items()


def _list_dated_posts(
    posts: Sequence[PlannedPost],
    before: Iterable[EarlierPost],
    name: str,
    known: Known,
    now: datetime,
) -> Dated:
    """When each post that the limit counts goes out, and its row."""
    if name == "videos_per_day":
        posts = [
            entry
            for entry in posts
            if any(medium.is_video for medium in _media_of_all(entry, known))
        ]
        before = [entry for entry in before if entry.has_video]
    dated = [(max(post.row.publish_at, now), post.row.position) for post in posts]
    return sorted([*dated, *((entry.at, NO_ROW) for entry in before)])


def _find_excess_warnings(
    dated: Dated, channel: Channel, name: str, limit: Limit
) -> Iterator[tuple[WarningText, int]]:
    window = KINDS[name].window
    if limit.value is None or window is None:
        return
    for index in find_excess_rows(dated, int(limit.value), window):
        yield _rate_warning(channel, name, limit), index


def _rate_warning(channel: Channel, name: str, limit: Limit) -> WarningText:
    scope = "all its channels together" if limit.shared else (channel.name or channel.id)
    return limit_warning(
        limit,
        code="too_many_posts",
        message=f"{channel.identifier} takes {limit.value:,.0f} {KINDS[name].words}"
        f" ({scope}), and these exceed that",
        remedy="Spread them over more time, for example with daily_cap_per_integration.",
    )


def _find_unused_names(
    posts: Sequence[PlannedPost], known: Known
) -> Iterator[tuple[WarningText, int]]:
    """Captions and settings under a name that is neither an integration nor a network."""
    if known.channels is None:
        return
    names = {key for channel in known.channels.values() for key in channel.keys} | set(LIMITS)
    for row in {id(post.row): post.row for post in posts}.values():
        for name in _platform_names(row):
            if name not in names:
                yield _unused_name_warning(name), row.position


def _platform_names(row: Row) -> Iterable[str]:
    return {**row.captions, **row.settings}


def _unused_name_warning(name: str) -> WarningText:
    return WarningText(
        code="unknown_platform",
        message=f"{name!r} is neither an integration of this profile's Postiz nor a known network:"
        " its values are not used",
        remedy="Correct it, or leave it out; GET /postiz/integrations lists ids and identifiers.",
    )
