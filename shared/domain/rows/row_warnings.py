"""Warnings about rows that are published all the same: guesses, and what was assumed or unchecked.

What is certain is an error (shared/domain/networks/post_rules.py). The same thing said of many
rows is said once, with the numbers of the rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.networks.caption_length import bare_links, weighted_length
from shared.domain.networks.channel import Channel
from shared.domain.networks.limits import KINDS, LIMITS, Limit
from shared.domain.networks.medium import Medium
from shared.domain.networks.network_settings import NETWORKS
from shared.domain.networks.rate_windows import NO_ROW, Dated, beyond
from shared.domain.networks.video_warnings import video_advice
from shared.domain.networks.warning import Advice, Said, about_limit
from shared.domain.rows.post_rows import Before, CheckedRow, Known, PlannedPost, Row


def advise(
    rows: Iterable[CheckedRow], known: Known, *, now: datetime, drafts: bool = False
) -> list[Advice]:
    """All that is worth saying of the rows that have no faults.

    What was due before `now` goes out now; `drafts` go nowhere by themselves.
    """
    found = _Collected()
    posts = [post for one in rows for post in one.posts]
    checker = _Checker(known=known)
    for post in posts:
        for said in checker.of(post):
            found.add(said, post.row.position)
    for said, index in () if drafts else _too_many(posts, known, now):
        found.add(said, index)
    for said, index in _unused_words(posts, known):
        found.add(said, index)
    return found.advice()


class _Collected:
    """What was said, in the order in which it was said first."""

    def __init__(self) -> None:
        self._indexes: dict[Said, dict[int, None]] = {}

    def add(self, said: Said, index: int) -> None:
        self._indexes.setdefault(said, {})[index] = None

    def advice(self) -> list[Advice]:
        return [
            Advice(said=said, indexes=sorted(indexes)) for said, indexes in self._indexes.items()
        ]


@dataclass(kw_only=True)
class _Checker:
    """Looks at posts one by one; what a medium comes to on a channel is worked out once."""

    known: Known
    _media: dict[tuple[int, str], list[Said]] = field(default_factory=dict)

    def of(self, post: PlannedPost) -> Iterator[Said]:
        identifier = post.channel.identifier
        if "<" in post.content:
            yield _HTML
        if identifier is None:
            yield _UNCHECKED
            return
        if identifier not in NETWORKS:
            yield _unknown_network(identifier)
        if post.assumed:
            yield _assumed(identifier, post)
        if identifier == "x" and _may_be_too_long(post, self.known):
            yield _LINKS
        for medium in self.known.media_of(post.row):
            yield from self._of_medium(medium, identifier, post.channel)

    def _of_medium(self, medium: Medium, identifier: str, channel: Channel) -> list[Said]:
        key = (medium.id, channel.id)
        if key not in self._media:
            limits = self.known.limits(channel)
            self._media[key] = list(video_advice(medium, identifier, limits))
        return self._media[key]


_UNCHECKED = Said(
    code="integrations_unknown",
    message="Postiz has not told its integrations yet, so nothing was checked by their rules",
    remedy="It is done before they are published; a post that breaks one then fails, and says why.",
)
_HTML = Said(
    code="caption_is_changed",
    message="Postiz takes a caption that holds < for HTML: what looks like a tag is cut out, and an"
    " & becomes &amp;",
    remedy="Write it without <.",
)
_LINKS = Said(
    code="caption_may_be_too_long",
    message="X counts an address without https:// as 23 characters if it takes it for a link",
    remedy="Shorten the caption by as much, or write the address out.",
)


def _unknown_network(identifier: str) -> Said:
    return Said(
        code="unknown_network",
        message=f"no rules are known of {identifier}: Postiz decides",
        remedy="Try one post before a bulk.",
    )


def _assumed(identifier: str, post: PlannedPost) -> Said:
    """A title is each row's own, so it is said that there is one, not which."""
    shown = {**post.assumed, "title": "the caption's first line"} if _titled(post) else post.assumed
    words = ", ".join(f"{name} {_word(value)}" for name, value in shown.items())
    return Said(
        code="default_setting_used",
        message=f"{identifier} demands settings that were not given, so these are used: {words}",
        remedy=f'Give them as "settings": {{"{identifier}": {{…}}}} if they are to be others.',
    )


def _titled(post: PlannedPost) -> bool:
    return "title" in post.assumed


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _may_be_too_long(post: PlannedPost, known: Known) -> bool:
    limit = known.limits(post.channel).get("characters")
    more = bare_links(post.content)
    if not more or limit is None or limit.value is None:
        return False
    return weighted_length(post.content) + more > limit.value


def _too_many(
    posts: Sequence[PlannedPost], known: Known, now: datetime
) -> Iterator[tuple[Said, int]]:
    """Posts beyond what a network takes in a time, with those that were accepted before."""
    for channel, theirs in _by_channel(posts):
        before = known.before.get(channel.id, ())
        for name, limit in known.limits(channel).items():
            if KINDS[name].window is not None and not limit.shared:
                dated = _dated(theirs, before, name, known, now)
                yield from _beyond(dated, channel, name, limit)
    for identifier, theirs in _by_network(posts):
        before = [one for id_ in known.siblings(identifier) for one in known.before.get(id_, ())]
        for name, limit in LIMITS.get(identifier, {}).items():
            if KINDS[name].window is not None and limit.shared:
                own = known.limits(Channel(id=identifier, identifier=identifier))[name]
                dated = _dated(theirs, before, name, known, now)
                yield from _beyond(dated, theirs[0].channel, name, own)


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


def _dated(
    posts: Sequence[PlannedPost], before: Iterable[Before], name: str, known: Known, now: datetime
) -> Dated:
    """When each of those that the limit counts goes out, and its row."""
    if name == "videos_per_day":
        posts = [one for one in posts if any(each.is_video for each in known.media_of(one.row))]
        before = [one for one in before if one.has_video]
    dated = [(max(post.row.publish_at, now), post.row.position) for post in posts]
    return sorted([*dated, *((one.at, NO_ROW) for one in before)])


def _beyond(dated: Dated, channel: Channel, name: str, limit: Limit) -> Iterator[tuple[Said, int]]:
    window = KINDS[name].window
    if limit.value is None or window is None:
        return
    for index in beyond(dated, int(limit.value), window):
        yield _crowded(channel, name, limit), index


def _crowded(channel: Channel, name: str, limit: Limit) -> Said:
    whose = "all its channels together" if limit.shared else (channel.name or channel.id)
    return about_limit(
        limit,
        code="too_many_posts",
        message=f"{channel.identifier} takes {limit.value:,.0f} {KINDS[name].words}"
        f" ({whose}), and these come on top",
        remedy="Spread them over more time, for example with daily_cap_per_integration.",
    )


def _unused_words(posts: Sequence[PlannedPost], known: Known) -> Iterator[tuple[Said, int]]:
    """Captions and settings under a name that is no integration and no network."""
    if known.channels is None:
        return
    names = {key for channel in known.channels.values() for key in channel.keys} | set(LIMITS)
    for row in {id(post.row): post.row for post in posts}.values():
        for name in _named(row):
            if name not in names:
                yield _unused(name), row.position


def _named(row: Row) -> Iterable[str]:
    return {**row.captions, **row.settings}


def _unused(name: str) -> Said:
    return Said(
        code="unknown_platform",
        message=f"{name!r} is no integration of this profile's Postiz and no network that we know:"
        " what stands under it is not used",
        remedy="Correct it, or leave it out; GET /postiz/integrations lists ids and identifiers.",
    )
