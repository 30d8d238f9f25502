"""What is assumed where a network demands a setting, and what never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.networks.caption_length import plain_length
from shared.domain.networks.default_settings import DEFAULTS, find_default_settings, title_of
from shared.domain.networks.limits import LIMITS
from shared.domain.networks.network_settings import NETWORKS
from shared.domain.networks.post_rules import find_violations

#: Where a post goes is nobody's guess.
NEVER = {("pinterest", "board"), ("reddit", "subreddit"), ("discord", "channel")}


@pytest.mark.parametrize("identifier", NETWORKS)
def test_all_that_is_demanded_is_assumed_but_where_a_post_goes(identifier: str) -> None:
    demanded = NETWORKS[identifier].required
    made = find_default_settings(identifier, {}, "A caption")
    left = {(identifier, name) for name in demanded if name not in made}
    assert left <= NEVER
    assert set(made) <= set(demanded)
    found = find_violations(identifier, LIMITS[identifier], content="a", settings=made, media=[])
    assert {fault.field for fault in found} <= {"media_ids", *(f"settings.{n}" for _, n in left)}


@pytest.mark.parametrize(("identifier", "name"), sorted(NEVER))
def test_what_is_never_assumed_is_an_error_that_says_what_to_give(
    identifier: str, name: str
) -> None:
    assert name not in find_default_settings(identifier, {}, "A caption")
    found = find_violations(identifier, LIMITS[identifier], content="a", settings={}, media=[])
    [fault] = [fault for fault in found if fault.code == "missing_setting"]
    assert fault.remedy is not None
    assert f'"{identifier}": {{"{name}"' in fault.remedy


def test_what_is_given_is_never_replaced() -> None:
    given_settings = {"privacy_level": "SELF_ONLY", "duet": True, "stitch": None}
    made = find_default_settings("tiktok", given_settings, "")
    assert not {"privacy_level", "duet"} & set(made)
    assert made["stitch"] is False


def test_nothing_that_binds_the_owner_is_switched_on() -> None:
    tiktok = DEFAULTS["tiktok"]
    for name in ("brand_content_toggle", "brand_organic_toggle", "duet", "stitch"):
        assert tiktok[name] is False
    assert tiktok["autoAddMusic"] == "no"


def test_a_network_that_is_not_known_yet_has_no_defaults() -> None:
    assert find_default_settings(None, {}, "A caption") == {}
    assert find_default_settings("vk", {}, "A caption") == {}


@pytest.mark.parametrize(
    ("caption", "title"),
    [
        ("A day out", "A day out"),
        ("\n  A  day\tout \nand more", "A day out"),
        ("I <3 this <b>", "I 3 this b"),
        ("a", None),
        ("", None),
        ("<>\n \nSecond", "Second"),
        ("word " * 30, ("word " * 18 + "word…")),
        ("w" * 150, "w" * 99 + "…"),
        ("ab", "ab"),
        ("w" * 100, "w" * 100),
        ("w" * 101, "w" * 99 + "…"),
        ("w" * 49 + " " + "v" * 60, "w" * 49 + " " + "v" * 49 + "…"),
        ("w" * 50 + " " + "v" * 60, "w" * 50 + "…"),
        ("🎬" * 60, "🎬" * 49 + "…"),
    ],
)
def test_a_title_is_the_captions_first_line(caption: str, title: str | None) -> None:
    assert title_of(caption) == title


@given(st.text(max_size=300))
def test_a_title_is_always_one_that_youtube_takes(caption: str) -> None:
    title = title_of(caption)
    if title is not None:
        assert 2 <= plain_length(title) <= 100
        assert not set("<>\n") & set(title)
