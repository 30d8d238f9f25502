"""From rows to posts: whose caption, whose settings, and every fault by its place."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared.domain.rows import Channel, Known, Medium, PlannedPost, Row, check_rows

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
X = Channel(id="int-x", identifier="x", name="On X")
MASTO = Channel(id="int-m", identifier="mastodon", name="On Mastodon")
GONE = Channel(id="int-gone", identifier="mastodon", name="Old", disabled=True)
TUBE = Channel(id="int-y", identifier="youtube", name="Tube")
KNOWN = Known(
    channels={channel.id: channel for channel in (X, MASTO, GONE, TUBE)},
    media={"1": Medium(id=1, mime="video/mp4"), "2": Medium(id=2, mime=None)},
)
EVERYONE = {"x": {"who_can_reply_post": "everyone"}}


def row(**more: Any) -> Row:
    values: dict[str, Any] = {"caption": "hello", "integration_ids": ["int-m"], **more}
    return Row(publish_at=NOON, **values)


def good(*rows: Row, known: Known = KNOWN) -> list[PlannedPost]:
    checked = check_rows(rows, known)
    assert [fault for one in checked for fault in one.faults] == []
    return [post for one in checked for post in one.posts]


def places(*rows: Row, known: Known = KNOWN) -> list[tuple[str, str]]:
    checked = check_rows(rows, known)
    assert all(bool(one.posts) is not bool(one.faults) for one in checked)
    return [(fault.field, fault.code) for one in checked for fault in one.faults]


def test_a_row_becomes_a_post_for_each_integration_in_order() -> None:
    rows = [row(position=n, integration_ids=["int-m", "int-x"], settings=EVERYONE) for n in (0, 1)]
    made = [(post.row.position, post.channel.id) for post in good(*rows)]
    assert made == [(0, "int-m"), (0, "int-x"), (1, "int-m"), (1, "int-x")]


def test_a_caption_by_integration_id_wins_over_its_network_and_over_the_rows() -> None:
    captions = {"x": "for x", "int-x": "for this one", "mastodon": "for mastodon"}
    both = row(integration_ids=["int-x", "int-m"], captions=captions, settings=EVERYONE)
    assert [post.content for post in good(both)] == ["for this one", "for mastodon"]
    assert good(row(captions={"x": "for x"}))[0].content == "hello"


def test_settings_by_integration_id_are_laid_over_its_networks() -> None:
    settings = {"mastodon": {"a": 1, "b": 1}, "int-m": {"b": 2}, "x": {"c": 3}}
    assert good(row(settings=settings))[0].settings == {"a": 1, "b": 2}


def test_the_youtube_title_is_used_where_the_settings_have_none() -> None:
    tube = row(integration_ids=["int-y"], media_ids=["1"], youtube_title="Mine")
    shown = {"youtube": {"type": "public"}}
    assert good(replace(tube, settings=shown))[0].settings["title"] == "Mine"
    own = {"youtube": {"type": "public", "title": "Own"}}
    assert good(replace(tube, settings=own))[0].settings["title"] == "Own"
    assert places(tube) == [("settings.int-y.type", "missing_setting")]


def test_media_are_known_by_their_numbers() -> None:
    assert good(row(media_ids=["1", "2"]))[0].media_ids == [1, 2]


def test_every_fault_of_every_row_is_told_by_its_place() -> None:
    rows = [
        row(path="items.0.", media_ids=["1", "9"]),
        row(path="items.1.", integration_ids=["int-m", "int-none"]),
        row(path="items.2.", integration_ids=["int-gone"]),
        row(path="items.3.", integration_ids=[]),
        row(path="items.4.", integration_ids=["int-x"]),
        row(path="items.5.", caption="a" * 501),
        row(path="items.6.", captions={"mastodon": "a" * 501}),
        row(path="items.7.", integration_ids=["int-m", "int-m"]),
        row(path="items.8.", integration_ids=["int-y"], settings={"youtube": {"type": "public"}}),
    ]
    assert places(*rows) == [
        ("items.0.media_ids.1", "unknown_media"),
        ("items.1.integration_ids.1", "unknown_integration"),
        ("items.2.integration_ids.0", "integration_disabled"),
        ("items.3.integration_ids", "missing_integration"),
        ("items.4.settings.int-x.who_can_reply_post", "missing_setting"),
        ("items.5.caption", "caption_too_long"),
        ("items.6.captions_per_platform.mastodon", "caption_too_long"),
        ("items.7.integration_ids.1", "repeated_integration"),
        ("items.8.settings.int-y.title", "missing_setting"),
        ("items.8.media_ids", "media_refused"),
    ]


def test_where_no_list_is_to_be_had_any_integration_is_accepted_unresolved() -> None:
    unknown = Known(channels=None, media={})
    [post] = good(row(integration_ids=["int-new"]), known=unknown)
    assert post.channel == Channel(id="int-new")


def test_a_post_that_no_call_can_carry_is_refused_with_its_size() -> None:
    """Counted as it is sent: a letter that takes three bytes counts three."""
    assert places(row(position=2, caption="語" * 32_000)) == [("caption", "too_large")]
    assert ("caption", "too_large") not in places(row(caption="語" * 31_000))
