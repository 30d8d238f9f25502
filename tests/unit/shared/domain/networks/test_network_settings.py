"""What each network demands of a setting and of its media, in words."""

from typing import Any

import pytest

from shared.domain.networks.medium import Medium
from shared.domain.networks.network_settings import (
    check_flag,
    check_lone_video,
    check_subreddits,
    check_video_cover,
    check_video_only,
    one_of,
    text_check,
)

ROW = {"value": {"subreddit": "r", "title": "t", "type": "self", "is_flair_required": False}}
WANTS_ROWS = 'must be a list of {"value": {"subreddit", "title", "type", "is_flair_required"}}'


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a", None),
        ("", "must be a text"),
        (None, "must be a text"),
        (5, "must be a text"),
    ],
)
def test_a_text_has_at_least_a_character(value: Any, words: str | None) -> None:
    assert text_check()(value) == words


@pytest.mark.parametrize(("length", "fits"), [(1, False), (2, True), (4, True), (5, False)])
def test_a_text_may_have_bounds_and_a_hint(length: int, fits: bool) -> None:
    words = None if fits else "must be a text of 2 to 4 characters, please"
    assert text_check(2, 4, ", please")("x" * length) == words


def test_a_choice_names_what_there_is() -> None:
    assert one_of("a", "b")("b") is None
    assert one_of("a", "b")("c") == "must be one of a, b"


def test_a_flag_is_true_or_false() -> None:
    assert check_flag(False) is None
    assert check_flag(0) == "must be true or false"


@pytest.mark.parametrize("value", [None, [], [ROW, {}], [{"value": {"subreddit": "r"}}], [ROW, 5]])
def test_subreddits_are_whole_rows(value: Any) -> None:
    assert check_subreddits(value) == WANTS_ROWS
    assert check_subreddits([ROW, ROW]) is None


VIDEO, IMAGE, UNKNOWN = (Medium(id=1, mime=mime) for mime in ("video/mp4", "image/png", None))


@pytest.mark.parametrize(
    ("media", "alone", "only", "cover"),
    [
        ([], None, None, None),
        ([VIDEO], None, None, "a video needs a cover image second, and nothing else"),
        ([IMAGE], None, "needs an mp4 video, not an image", None),
        ([UNKNOWN], None, None, None),
        (
            [VIDEO, IMAGE],
            "a video must be the only medium",
            "needs an mp4 video, not an image",
            None,
        ),
        (
            [IMAGE, VIDEO],
            "a video must be the only medium",
            "needs an mp4 video, not an image",
            "a video needs a cover image second, and nothing else",
        ),
        (
            [VIDEO, VIDEO],
            "a video must be the only medium",
            None,
            "a video needs a cover image second, and nothing else",
        ),
    ],
)
def test_kinds_of_media(
    media: list[Medium], alone: str | None, only: str | None, cover: str | None
) -> None:
    assert check_lone_video(media) == alone
    assert check_video_only(media) == only
    assert check_video_cover(media) == cover
