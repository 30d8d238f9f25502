"""An account's own limits: what may be overridden, by what, and what then holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.networks.limit_overrides import Overrides, find_faults, limits_of, merge_change
from shared.domain.networks.limits import KINDS, LIMITS


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"x": {"characters": 4000}},
        {"tiktok": {"posts_per_day": 25, "video_seconds_most": 3600.5}},
        {"int-1": {"posts_per_day": None}},
        {"tiktok": None},
    ],
)
def test_known_limits_of_known_networks_and_channels_are_taken(overrides: dict[str, Any]) -> None:
    assert find_faults(overrides, {"int-1"}) == []


@pytest.mark.parametrize(
    ("overrides", "field", "code"),
    [
        ({"orkut": {"characters": 5}}, "rule_overrides.orkut", "unknown_field"),
        ({"int-2": {"characters": 5}}, "rule_overrides.int-2", "unknown_field"),
        ({"x": {"letters": 5}}, "rule_overrides.x.letters", "unknown_field"),
        ({"x": 5}, "rule_overrides.x", "invalid_type"),
        ({"x": [5]}, "rule_overrides.x", "invalid_type"),
        ({"x": {"characters": "5"}}, "rule_overrides.x.characters", "invalid_type"),
        ({"x": {"characters": True}}, "rule_overrides.x.characters", "invalid_type"),
        ({"x": {"characters": 5.5}}, "rule_overrides.x.characters", "invalid_type"),
        ({"x": {"characters": -1}}, "rule_overrides.x.characters", "invalid_type"),
        ({"x": {"characters": 10**400}}, "rule_overrides.x.characters", "invalid_type"),
        ({"x": {"video_aspect": float("nan")}}, "rule_overrides.x.video_aspect", "invalid_type"),
        ({"x": {"video_aspect": float("inf")}}, "rule_overrides.x.video_aspect", "invalid_type"),
        ({"x": {"characters": {}}}, "rule_overrides.x.characters", "invalid_type"),
    ],
)
def test_what_is_no_limit_or_has_no_such_value_is_named(
    overrides: dict[str, Any], field: str, code: str
) -> None:
    [fault] = find_faults(overrides, {"int-1"})
    assert (fault.field, fault.code) == (field, code)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"orkut": {}}, "is neither an integration of this account nor a known network: "),
        ({"x": 5}, "must be an object of limits, or null to remove them"),
        ({"x": {"letters": 5}}, "unknown limit; known limits are: "),
        ({"x": {"characters": "5"}}, "must be a number, or null for no limit"),
        ({"x": {"characters": -1}}, "must be from 0 to 1,000,000,000"),
        ({"x": {"characters": 5.5}}, "must be a whole number"),
    ],
)
def test_the_words_say_what_is_wanted(overrides: dict[str, Any], message: str) -> None:
    [fault] = find_faults(overrides, ())
    assert fault.message.startswith(message)
    if message.endswith(": "):
        names = fault.message.removeprefix(message).split(", ")
        assert names in (list(LIMITS), list(KINDS))


def test_every_fault_of_a_change_is_named() -> None:
    overrides = {"orkut": {}, "x": {"letters": 5, "characters": -1, "media_most": 4}, "tiktok": 5}
    assert [fault.field for fault in find_faults(overrides, ())] == [
        "rule_overrides.orkut",
        "rule_overrides.x.letters",
        "rule_overrides.x.characters",
        "rule_overrides.tiktok",
    ]


@pytest.mark.parametrize("value", [0, 1_000_000_000])
def test_the_ends_of_the_range_are_in_it(value: int) -> None:
    assert find_faults({"x": {"characters": value}}, ()) == []
    assert find_faults({"x": {"characters": 1_000_000_001}}, ()) != []


@given(st.dictionaries(st.sampled_from([*LIMITS, "int-1", "none"]), st.from_type(object)))
def test_no_json_makes_the_check_fail(overrides: dict[str, Any]) -> None:
    for fault in find_faults(overrides, {"int-1"}):
        assert fault.field.startswith("rule_overrides.")


def test_a_channels_own_limit_wins_over_its_networks_and_the_rest_stays() -> None:
    overrides = {"x": {"characters": 1000}, "int-1": {"characters": 4000}}
    assert limits_of(["int-1", "x"], overrides)["characters"].value == 4000
    assert limits_of(["int-2", "x"], overrides)["characters"].value == 1000
    assert limits_of(["int-1", "x"], overrides)["media_most"] == LIMITS["x"]["media_most"]
    assert limits_of(["int-1", "mastodon"], overrides)["characters"].value == 4000
    assert limits_of(["int-2", "mastodon"], overrides) == LIMITS["mastodon"]


def test_an_override_of_instagram_holds_for_both_ways_to_it() -> None:
    keys = ["int-1", "instagram-standalone", "instagram"]
    overrides = {"instagram": {"posts_per_day": 100}}
    assert limits_of(keys, overrides)["posts_per_day"].value == 100
    overrides["instagram-standalone"] = {"posts_per_day": 50}
    assert limits_of(keys, overrides)["posts_per_day"].value == 50


def test_an_override_stays_as_sure_as_what_it_stands_for_and_may_be_no_limit() -> None:
    overrides: Overrides = {"tiktok": {"posts_per_day": None}, "telegram": {"media_most": 3}}
    none = limits_of(["int-1", "tiktok"], overrides)["posts_per_day"]
    assert (none.value, none.source) == (None, LIMITS["tiktok"]["posts_per_day"].source)
    assert limits_of(["int-1", "telegram"], overrides)["media_most"].source.checked is None


def test_of_a_network_that_is_not_known_only_what_the_owner_says_is_known() -> None:
    overrides = {"int-1": {"posts_per_day": 3}}
    assert set(limits_of(["int-1", "vk"], overrides)) == {"posts_per_day"}
    assert limits_of(["int-2", "vk"], overrides) == {}


def test_a_change_is_merged_key_by_key_and_null_drops_a_key() -> None:
    saved = {"x": {"characters": 4000.0}, "tiktok": {"posts_per_day": 25.0}}
    change: dict[str, Any] = {"x": None, "youtube": {"posts_per_day": 6}}
    assert merge_change(saved, change) == {
        "tiktok": {"posts_per_day": 25.0},
        "youtube": {"posts_per_day": 6},
    }


@pytest.mark.parametrize("identifier", LIMITS)
def test_every_limit_is_of_a_known_kind_and_says_where_it_is_from(identifier: str) -> None:
    for name, limit in LIMITS[identifier].items():
        assert name in KINDS
        assert limit.value is not None
        assert limit.value > 0
        assert limit.source.name
        assert limit.source.checked is not None
