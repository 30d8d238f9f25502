"""A post that is cancelled or deleted while a request for it waits for its row."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, text, update

from shared.models import Event, Post
from tests.factories.jobs import make_job
from tests.servers.api import Api, Reply
from tests.timing.patience import wait_until

FRONT = "/public/v1"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def somebody_waits(api: Api) -> bool:
    with api.services.database.transaction() as session:
        return bool(session.scalar(text(WAITING)))


def test_an_edit_by_the_front_of_a_post_that_is_just_cancelled_is_refused(api: Api) -> None:
    """Its client would believe that the post goes out, at its new time."""
    make_job(api)
    [post] = api.posts()
    wanted = {"name": "a client", "scopes": ["read", "publish"], "profile_ids": ["acme"]}
    key = api.post("/keys", wanted).json["key"]
    value = {"content": "new", "image": [], "id": str(post.id)}
    body = {
        "type": "schedule",
        "date": "2031-08-02T00:00:00.000Z",
        "shortLink": False,
        "tags": [],
        "posts": [{"integration": {"id": "int-mastodon"}, "value": [value]}],
    }
    with ThreadPoolExecutor(1) as threads:
        with api.services.database.transaction() as session:
            session.execute(update(Post).values(state="cancelled"))
            asked = threads.submit(api.call, "POST", f"{FRONT}/posts", key=key, json=body)
            wait_until(lambda: somebody_waits(api))
        reply = asked.result()
    assert reply.status_code >= 400, reply.text
    assert [(each.state, each.content) for each in api.posts()] == [("cancelled", "clip 0")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"caption": "new"}),
        ("POST", "/approve", {"revision": 1}),
        ("POST", "/retry", {"as_of": "2031-01-01T00:00:00Z"}),
    ],
)
def test_a_request_for_a_post_that_is_just_deleted_finds_none(
    api: Api, method: str, path: str, body: dict[str, object]
) -> None:
    """With its profile, in batches."""
    make_job(api)
    [post] = api.posts()

    def ask() -> Reply:
        return api.call(method, f"/posts/{post.id}{path}", json=body)

    with ThreadPoolExecutor(1) as threads:
        with api.services.database.transaction() as session:
            session.execute(delete(Event))
            session.execute(delete(Post))
            asked = threads.submit(ask)
            wait_until(lambda: somebody_waits(api))
        reply = asked.result()
    assert (reply.status_code, reply.json["code"]) == (404, "not_found"), reply.text
