"""The audit of what webhooks were told: it must find what is missing, and what is not true."""

import json
from datetime import UTC, datetime

from shared.models import Job, Post
from tests.chaos.audience import more_than_once, untold
from tests.servers.receiver import Heard

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def heard(event: str, subject: int, number: int = 1) -> Heard:
    body = json.dumps({"type": event, "data": {"id": str(subject)}})
    return Heard({"webhook-id": f"{event}-{subject}-{number}"}, body, 0.0)


POSTS = [Post(id=1, state="published"), Post(id=2, state="failed"), Post(id=3, state="cancelled")]
JOBS = [Job(id=7, finished_at=NOW), Job(id=8)]
ALL = [heard("post.published", 1), heard("post.failed", 2), heard("job.completed", 7)]


def test_nothing_is_to_be_said_where_all_was_told() -> None:
    assert list(untold([*ALL, ALL[0]], ALL, POSTS, JOBS)) == []
    assert more_than_once([*ALL, ALL[0]]) == 1


def test_each_end_that_was_refused_and_never_told_again_is_found() -> None:
    found = []
    for refused in ALL:
        taken = [one for one in ALL if one is not refused]
        found.append(list(untold(ALL, taken, POSTS, JOBS)))
    assert [[post_id for _, post_id in each] for each in found] == [[1], [2], [None]]


def test_what_was_told_and_is_not_so_is_found() -> None:
    [(what, post_id)] = untold([*ALL, heard("post.published", 3)], ALL, POSTS, JOBS)
    assert (post_id, "told to be published" in what) == (3, True)
