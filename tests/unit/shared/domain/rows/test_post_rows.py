"""From rows to posts: whose caption, whose settings, and every fault by its place."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared.domain.networks.channel import Channel
from shared.domain.networks.medium import Medium
from shared.domain.rows.post_rows import Known, PlannedPost, Row, check_rows

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
X = Channel(id="int-x", identifier="x", name="On X")
MASTO = Channel(id="int-m", identifier="mastodon", name="On Mastodon")
GONE = Channel(id="int-gone", identifier="mastodon", name="Old", disabled=True)
TUBE = Channel(id="int-y", identifier="youtube", name="Tube")
PINS = Channel(id="int-p", identifier="pinterest", name="Pins")
GRAM = Channel(id="int-g", identifier="instagram-standalone", name="Gram")
KNOWN = Known(
    channels={channel.id: channel for channel in (X, MASTO, GONE, TUBE, PINS, GRAM)},
    media={"1": Medium(id=1, mime="video/mp4"), "2": Medium(id=2, mime=None)},
)
NOBODY = {"x": {"who_can_reply_post": "nobody"}}
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
    assert good(tube)[0].settings == {"type": "public", "title": "Mine"}


def test_media_are_known_by_their_numbers() -> None:
    assert good(row(media_ids=["1", "2"]))[0].media_ids == [1, 2]


def test_every_fault_of_every_row_is_told_by_its_place() -> None:
    rows = [
        row(path="items.0.", media_ids=["1", "9"]),
        row(path="items.1.", integration_ids=["int-m", "int-none"]),
        row(path="items.2.", integration_ids=["int-gone"]),
        row(path="items.3.", integration_ids=[]),
        row(path="items.4.", integration_ids=["int-x"], settings=NOBODY),
        row(path="items.5.", caption="a" * 501),
        row(path="items.6.", captions={"mastodon": "a" * 501}),
        row(path="items.7.", integration_ids=["int-m", "int-m"]),
        row(path="items.8.", integration_ids=["int-y"], caption="a"),
        row(path="items.9.", integration_ids=["int-y"], media_ids=["1"], youtube_title="a"),
        row(path="items.10.", integration_ids=["int-p"], media_ids=["2"]),
    ]
    assert places(*rows) == [
        ("items.0.media_ids.1", "unknown_media"),
        ("items.1.integration_ids.1", "unknown_integration"),
        ("items.2.integration_ids.0", "integration_disabled"),
        ("items.3.integration_ids", "missing_integration"),
        ("items.4.settings.x.who_can_reply_post", "invalid_setting"),
        ("items.5.caption", "caption_too_long"),
        ("items.6.captions_per_platform.mastodon", "caption_too_long"),
        ("items.7.integration_ids.1", "repeated_integration"),
        ("items.8.settings.int-y.title", "missing_setting"),
        ("items.8.media_ids", "media_refused"),
        ("items.9.youtube_title", "invalid_setting"),
        ("items.10.settings.int-p.board", "missing_setting"),
    ]


def test_where_no_list_is_to_be_had_any_integration_is_accepted_unresolved() -> None:
    unknown = Known(channels=None, media={})
    [post] = good(row(integration_ids=["int-new"]), known=unknown)
    assert post.channel == Channel(id="int-new")


def test_a_post_that_no_call_can_carry_is_refused_with_its_size() -> None:
    """Counted as it is sent: a letter that takes three bytes counts three."""
    assert places(row(position=2, caption="語" * 32_000)) == [("caption", "too_large")]
    assert ("caption", "too_large") not in places(row(caption="語" * 31_000))


def test_each_fault_names_its_row_and_what_to_do() -> None:
    rows = [
        row(position=7, path="items.7.", integration_ids=["int-p", "int-none"], media_ids=["9"])
    ]
    [one] = check_rows(rows, KNOWN)
    assert len(one.faults) == 3
    for fault in one.faults:
        assert fault.row == 7
        assert fault.remedy
    [alone] = check_rows([row(integration_ids=[])], KNOWN)
    assert alone.faults[0].row is None


def test_what_stands_under_instagram_serves_the_standalone_one_too_unless_it_has_its_own() -> None:
    post = row(
        integration_ids=["int-g"],
        media_ids=["1"],
        captions={"instagram": "for both"},
        settings={"instagram": {"post_type": "story", "a": 1}},
    )
    [made] = good(post)
    assert (made.content, made.settings) == ("for both", {"post_type": "story", "a": 1})
    own = {**post.settings, "instagram-standalone": {"post_type": "post"}}
    [made] = good(replace(post, settings=own))
    assert made.settings == {"post_type": "post", "a": 1}


def test_what_a_network_demands_and_nobody_gave_is_assumed_and_told() -> None:
    both = row(
        integration_ids=["int-x", "int-y", "int-m"], media_ids=["1"], caption="A day out\nmore"
    )
    x, tube, masto = good(both)
    assert x.settings == x.assumed == {"who_can_reply_post": "everyone"}
    assert tube.settings == tube.assumed == {"type": "public", "title": "A day out"}
    assert masto.settings == masto.assumed == {}
    own = {"int-y": {"type": "private", "title": None, "tags": ["a"]}}
    [_, tube, _] = good(replace(both, settings=own))
    assert tube.assumed == {"title": "A day out"}
    assert tube.settings == {"type": "private", "title": "A day out", "tags": ["a"]}


def test_an_account_of_its_own_limits_is_checked_by_them() -> None:
    long = row(caption="a" * 501)
    assert places(long) == [("caption", "caption_too_long")]
    assert good(long, known=replace(KNOWN, overrides={"int-m": {"characters": 600}}))


def test_a_medium_or_channel_that_is_not_there_hides_no_other_fault() -> None:
    post = row(caption="a" * 501, integration_ids=["int-none", "int-m"], media_ids=["9"])
    assert [code for _, code in places(post)] == [
        "unknown_media",
        "unknown_integration",
        "caption_too_long",
    ]
    nothing = row(caption="", integration_ids=["int-y", "int-gone"], media_ids=["9"])
    assert [code for _, code in places(nothing)] == [
        "unknown_media",
        "integration_disabled",
        "missing_setting",
    ]
