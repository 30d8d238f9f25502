"""What tells two posts apart that look alike in Postiz."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.publishing.restore_matching import Ours
from shared.models import Post
from worker.staging.staged_drafts import draft_signature

PART = {"content": "more", "media_ids": [], "delay_minutes": 0}


def signature(**values: Any) -> Ours:
    same = {"id": 1, "integration_id": "int", "content": "a", "media_ids": [], "settings": {}}
    at = datetime(2026, 8, 1, tzinfo=UTC)
    return draft_signature(Post(**{**same, "thread": [], "publish_at": at, **values}))


@pytest.mark.parametrize("values", [{"media_ids": [1]}, {"settings": {"a": 1}}, {"thread": [PART]}])
def test_posts_differ_by_what_postiz_does_not_show(values: dict[str, Any]) -> None:
    assert signature(**values).fingerprint == signature().fingerprint
    assert signature(**values).whole != signature().whole


def test_two_threads_differ_by_any_part() -> None:
    later = {**PART, "delay_minutes": 5}
    assert signature(thread=[PART]).whole != signature(thread=[later]).whole
    assert (signature(thread=[PART]).is_thread, signature().is_thread) == (True, False)
