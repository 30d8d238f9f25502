"""How long a caption is, as Postiz counts and as X weighs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.networks.caption_length import bare_links, plain_length, weighted_length


@pytest.mark.parametrize(
    ("text", "length"), [("", 0), ("abc", 3), ("é", 1), ("你好", 2), ("😀", 2)]
)
def test_most_networks_count_as_javascript_does(text: str, length: int) -> None:
    assert plain_length(text) == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("hello", 5),
        ("https://example.com/a/very/long/path?with=much", 23),
        ("see http://a.b and https://c.d", 23 + 23 + len("see  and ")),
        ("你好", 4),
        ("😀", 2),
        ("👍🏽", 2),
        ("👨‍👩‍👧", 2),
        ("🇩🇪", 2),
        ("“quoted”", 8),
    ],
)
def test_x_weighs_links_emoji_and_wide_characters(text: str, length: int) -> None:
    assert weighted_length(text) == length


@pytest.mark.parametrize(
    ("text", "more"),
    [("see example.com", 12), ("a@example.com", 0), ("https://a.b", 0), ("e.g. 3.5", 0), ("", 0)],
)
def test_x_may_take_a_bare_host_for_a_link(text: str, more: int) -> None:
    assert bare_links(text) == more


@given(st.text(st.characters(max_codepoint=0x10FF), max_size=400))
def test_plain_text_weighs_what_it_counts(text: str) -> None:
    assert weighted_length(text) == len(text) or "http" in text.lower()
