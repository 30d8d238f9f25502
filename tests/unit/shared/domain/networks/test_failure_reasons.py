"""The reason of a failure, found among Postiz's notifications (texts as recorded)."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.networks.channel import Channel
from shared.domain.networks.failure_reasons import (
    INCOMPLETE,
    NONE_GIVEN,
    Notice,
    Reason,
    describe_incomplete,
    find_reason,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MASTO = Channel(id="c-masto", identifier="mastodon", name="Masto Chan")
X = Channel(id="c-x", identifier="x", name="X Chan")


def notice(content: str, minutes: float = 1) -> Notice:
    return Notice(content=content, created_at=NOON + timedelta(minutes=minutes))


UNKNOWN_ERROR = "An error occurred while posting on mastodon: Unknown Error"
RECONNECT = (
    "We couldn't post to mastodon for Masto Chan because you need to reconnect it. "
    "Please enable it and try again."
)
DISABLED = (
    "We couldn't post to mastodon for Masto Chan because it's disabled. "
    "Please enable it and try again."
)
UNCONFIRMED = (
    "Your post was sent to Mastodon, but we couldn't confirm it was published. Please check your "
    "Masto Chan account before posting again to avoid duplicates."
)
REFRESH = (
    "Could not refresh your mastodon channel . Please go back to the system and connect it again "
    "http://localhost:4290/launches"
)
PUBLISHED = "Your post has been published on Mastodon at http://127.0.0.1/statuses/1"


def reason(
    *notices: Notice, of: Channel = MASTO, beside: tuple[Channel, ...] = ()
) -> Reason | None:
    """Of a post due at noon."""
    return find_reason(
        notices,
        channel_id=of.id,
        channels=[of, *beside],
        since=NOON,
        until=NOON + timedelta(minutes=5),
    )


def words(*notices: Notice, of: Channel = MASTO, beside: tuple[Channel, ...] = ()) -> str | None:
    found = reason(*notices, of=of, beside=beside)
    return None if found is None else found.message.removeprefix("Postiz says: ")


def test_without_bad_news_there_is_none() -> None:
    assert reason() is None
    assert reason(notice(PUBLISHED)) is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (UNKNOWN_ERROR, "failed_in_postiz"),
        (RECONNECT, "reconnect_channel"),
        (REFRESH, "reconnect_channel"),
        (DISABLED, "channel_disabled"),
        (UNCONFIRMED, "outcome_unknown"),
    ],
)
def test_postizs_words_are_passed_on_with_what_to_do(content: str, code: str) -> None:
    found = reason(notice(content))
    assert found is not None
    assert (found.code, found.message) == (code, f"Postiz says: {content}")
    assert found.hint


def test_the_newest_that_fits_the_time_wins_whatever_an_older_one_says() -> None:
    assert words(notice(RECONNECT, 1), notice(UNKNOWN_ERROR, 2)) == UNKNOWN_ERROR
    assert words(notice(UNKNOWN_ERROR, 2), notice(RECONNECT, 1)) == UNKNOWN_ERROR


@pytest.mark.parametrize("minutes", [-1, 6])
def test_news_of_another_time_do_not_count(minutes: int) -> None:
    assert reason(notice(RECONNECT, minutes)) is None


def test_news_that_name_another_channel_do_not_count() -> None:
    other = Channel(id="c-other", identifier="mastodon", name="Other")
    assert reason(notice(RECONNECT), of=X, beside=(MASTO,)) is None
    assert reason(notice(RECONNECT), of=other, beside=(MASTO,)) is None
    assert words(notice(RECONNECT), of=MASTO, beside=(other,)) == RECONNECT
    assert words(notice(UNCONFIRMED), of=MASTO, beside=(other,)) == UNCONFIRMED


def test_a_network_alone_says_which_channel_only_where_there_is_one_of_it() -> None:
    other = Channel(id="c-other", identifier="mastodon", name="Other")
    assert words(notice(UNKNOWN_ERROR), beside=(X,)) == UNKNOWN_ERROR
    assert reason(notice(UNKNOWN_ERROR), beside=(other,)) is None
    assert reason(notice(REFRESH), beside=(other,)) is None


def test_a_network_is_not_found_in_the_words_of_an_error() -> None:
    content = "An error occurred while posting on mastodon: links to x are not allowed on x"
    assert reason(notice(content), of=X, beside=(MASTO,)) is None
    standalone = Channel(id="c-ig", identifier="instagram-standalone", name="Insta")
    content = "An error occurred while posting on instagram: too long"
    assert reason(notice(content), of=standalone) is None


def test_an_id_says_it_whatever_else_is_named() -> None:
    twin = Channel(id="c-twin", identifier="mastodon", name="Masto Chan")
    content = f"{RECONNECT} ({MASTO.id})"
    assert words(notice(content), beside=(twin,)) == content
    assert reason(notice(content), of=twin, beside=(MASTO,)) is None


def test_of_channels_with_one_name_the_network_tells_them_apart_or_nothing_does() -> None:
    on_x = Channel(id="c-x", identifier="x", name="Masto Chan")
    twin = Channel(id="c-twin", identifier="mastodon", name="Masto Chan")
    assert words(notice(RECONNECT), beside=(on_x,)) == RECONNECT
    assert reason(notice(RECONNECT), of=on_x, beside=(MASTO,)) is None
    assert reason(notice(RECONNECT), beside=(twin,)) is None


def test_a_name_that_is_part_of_a_longer_one_is_not_meant_by_it() -> None:
    short = Channel(id="c-short", identifier="mastodon", name="Masto")
    assert reason(notice(RECONNECT), of=short, beside=(MASTO,)) is None
    assert words(notice(RECONNECT), of=MASTO, beside=(short,)) == RECONNECT


def test_a_name_on_another_network_is_not_meant() -> None:
    """Nor another one of the network: the channel that was meant has left the account since."""
    assert reason(notice(RECONNECT), of=Channel(id="c", identifier="x", name="Masto Chan")) is None
    only = Channel(id="c", identifier="mastodon", name="The only one")
    assert reason(notice(RECONNECT), of=only) is None
    assert reason(notice(UNCONFIRMED), of=only) is None


def test_the_reason_of_a_later_part_is_found_and_said_of_an_incomplete_thread() -> None:
    words = "An error occurred while posting comments on mastodon: no links"
    found = reason(notice(words), beside=(X,))
    assert found is not None
    assert reason(notice(words), of=X, beside=(MASTO,)) is None
    told = describe_incomplete(found)
    assert (told.code, "no links" in told.message) == (INCOMPLETE, True)
    assert describe_incomplete(told) == told
    assert "gave no reason" in describe_incomplete(NONE_GIVEN).message
