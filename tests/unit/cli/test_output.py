"""What is printed: the fields that were asked for, and nothing that a terminal obeys."""

import json
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cli.commands.jobs import JOBS
from cli.commands.keys import KEYS, NEW_KEY
from cli.commands.posts import POSTS
from cli.commands.profiles import CHANNELS, PROFILES
from cli.commands.schedules import RUNS, SCHEDULES
from cli.commands.servers import SERVERS
from cli.commands.webhooks import DELIVERIES, WEBHOOKS
from cli.failures import UsageFailure
from cli.output import Listing, clean_text, format_time, parse_fields, show
from web.schemas.accounts import ServerView
from web.schemas.jobs import JobView, PostView
from web.schemas.keys import CreatedKey, KeyView
from web.schemas.profiles import ChannelView, ProfileView
from web.schemas.schedules import RunView, ScheduleSummary
from web.schemas.webhooks import DeliveryView, WebhookView


@pytest.mark.parametrize(
    ("listing", "view"),
    [
        (JOBS, JobView),
        (POSTS, PostView),
        (KEYS, KeyView),
        (NEW_KEY, CreatedKey),
        (CHANNELS, ChannelView),
        (PROFILES, ProfileView),
        (SCHEDULES, ScheduleSummary),
        (RUNS, RunView),
        (SERVERS, ServerView),
        (WEBHOOKS, WebhookView),
        (DELIVERIES, DeliveryView),
    ],
)
def test_json_knows_the_fields_that_lists_of_the_api_have(listing: Listing, view: type) -> None:
    missing = set(view.model_fields) - set(listing.fields)  # type: ignore[attr-defined]
    assert missing <= {"in_effect", "postiz_check", "quotas"}, "those are null in lists"
    assert set(listing.fields) <= set(view.model_fields)  # type: ignore[attr-defined]


def test_json_has_exactly_the_fields_that_were_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(JOBS, "state, id", lambda: [{"id": "1", "state": "queued", "total": 2}])
    assert json.loads(capsys.readouterr().out) == [{"state": "queued", "id": "1"}]
    for wrong in ("nope", "id,nope", "", ","):
        with pytest.raises(UsageFailure):
            parse_fields(JOBS, wrong)


def test_without_a_terminal_a_row_is_a_line_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    listing = Listing(fields=("a",), columns={"A": lambda row: row["a"], "B": lambda _: None})
    show(listing, None, lambda: [{"a": "x\ty\n\x1b[31m"}, {"a": True}])
    assert capsys.readouterr().out == "x y  [31m\t\nyes\t\n"


def test_text_from_outside_cannot_steer_a_terminal() -> None:
    assert clean_text("a\x1b]0;x\x07b\u202ec\r\n") == "a ]0;x b c  "
    assert clean_text("a\nb", keep_lines=True) == "a\nb"


def test_a_time_that_is_shown_means_the_same_where_it_is_copied_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    due = "2031-08-01T16:30:00Z"
    try:
        shown = format_time(due)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert shown == "2031-08-01 12:30-0400"
    assert datetime.fromisoformat(shown) == datetime.fromisoformat(due)
    assert format_time(due, ZoneInfo("Europe/Berlin")) == "2031-08-01 18:30"
