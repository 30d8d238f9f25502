"""Webhooks can have every event that there is."""

from typing import get_args

from shared.domain.webhook_retries import EVENTS
from web.schemas.webhooks import EventName


def test_every_event_can_be_asked_for() -> None:
    assert sorted(get_args(EventName)) == sorted(EVENTS)
