"""An account's own limits: what may be overridden, by what, and what then holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.limits import KINDS, LIMITS
from shared.domain.overrides import Limited, faults, merged


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
    assert faults(overrides, {"int-1"}) == []


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
    [fault] = faults(overrides, {"int-1"})
    assert (fault.field, fault.code) == (field, code)


@given(st.dictionaries(st.sampled_from([*LIMITS, "int-1", "none"]), st.from_type(object)))
def test_no_json_makes_the_check_fail(overrides: dict[str, Any]) -> None:
    for fault in faults(overrides, {"int-1"}):
        assert fault.field.startswith("rule_overrides.")


def test_a_channels_own_limit_wins_over_its_networks_and_the_rest_stays() -> None:
    limited = Limited(overrides={"x": {"characters": 1000}, "int-1": {"characters": 4000}})
    assert limited.of("x", "int-1")["characters"].value == 4000
    assert limited.of("x", "int-2")["characters"].value == 1000
    assert limited.of("x", "int-1")["media_most"] == LIMITS["x"]["media_most"]
    assert limited.of("mastodon", "int-1")["characters"].value == 4000
    assert limited.of("mastodon", "int-2") == LIMITS["mastodon"]


def test_an_override_stays_as_sure_as_what_it_stands_for_and_may_be_no_limit() -> None:
    limited = Limited(overrides={"tiktok": {"posts_per_day": None}, "telegram": {"media_most": 3}})
    none = limited.of("tiktok", "int-1")["posts_per_day"]
    assert (none.value, none.source) == (None, LIMITS["tiktok"]["posts_per_day"].source)
    assert limited.of("telegram", "int-1")["media_most"].source.checked is None


def test_of_a_network_that_is_not_known_only_what_the_owner_says_is_known() -> None:
    limited = Limited(overrides={"int-1": {"posts_per_day": 3}})
    assert set(limited.of("vk", "int-1")) == {"posts_per_day"}
    assert limited.of("vk", "int-2") == {}


def test_a_change_is_merged_key_by_key_and_null_drops_a_key() -> None:
    saved = {"x": {"characters": 4000.0}, "tiktok": {"posts_per_day": 25.0}}
    change: dict[str, Any] = {"x": None, "youtube": {"posts_per_day": 6}}
    assert merged(saved, change) == {
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
