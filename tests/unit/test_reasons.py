"""The reason of a failure, found among Postiz's notifications (texts as recorded)."""

from datetime import UTC, datetime, timedelta

from shared.domain.reasons import NONE_GIVEN, Notice, Reason, find_reason

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def notice(content: str, minutes: int = 1) -> Notice:
    return Notice(content=content, created_at=NOON + timedelta(minutes=minutes))


UNKNOWN_ERROR = notice("An error occurred while posting on mastodon: Unknown Error")
RECONNECT = notice(
    "We couldn't post to mastodon for Masto Chan because you need to reconnect it. "
    "Please enable it and try again.",
    2,
)
PUBLISHED = notice("Your post has been published on Mastodon at http://127.0.0.1/statuses/1", 3)


def reason(*notices: Notice, identifier: str = "mastodon", name: str = "Masto Chan") -> Reason:
    return find_reason(notices, identifier=identifier, name=name, since=NOON)


def test_without_a_notification_it_says_that_none_was_given() -> None:
    assert reason() == NONE_GIVEN
    assert reason(PUBLISHED) == NONE_GIVEN


def test_postizs_words_are_passed_on() -> None:
    assert reason(UNKNOWN_ERROR).message.endswith("Unknown Error")


def test_a_channel_that_needs_to_be_reconnected_is_named_so() -> None:
    found = reason(UNKNOWN_ERROR, RECONNECT, PUBLISHED)
    assert found.code == "reconnect_channel"
    assert "reconnect it" in found.message
    assert "Reconnect" in found.hint


def test_news_of_another_channel_or_of_before_do_not_count() -> None:
    assert reason(RECONNECT, identifier="x", name="X Chan") == NONE_GIVEN
    assert reason(notice(UNKNOWN_ERROR.content, -5)) == NONE_GIVEN


def test_an_unconfirmed_sending_asks_to_look_first() -> None:
    words = "Your post was sent to Mastodon, but we couldn't confirm it was published."
    assert reason(notice(words)).code == "outcome_unknown"
