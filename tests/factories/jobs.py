"""Jobs, as the API accepts them."""

from typing import Any

from sqlalchemy import select

from shared.models import Post
from tests.servers.api import Api


def make_job(api: Api, number: int = 1, **more: Any) -> str:
    """A bulk of `acme` that is due in years; the id of its job."""
    body = {
        "items": [{"caption": f"clip {n}"} for n in range(number)],
        "integration_ids": ["int-mastodon"],
        "schedule_date": "2031-08-01T00:00:00Z",
        **more,
    }
    reply = api.post("/postiz/bulk-publish", body, profile="acme")
    assert reply.status_code == 202, reply.text
    return str(reply.json["job"]["id"])


def set_states(api: Api, *states: str, **values: Any) -> None:
    """Of the first posts, one state each."""
    with api.services.database.transaction() as session:
        rows = session.scalars(select(Post).order_by(Post.id).limit(len(states))).all()
        for post, state in zip(rows, states, strict=True):
            post.state = state
            for name, value in values.items():
                setattr(post, name, value)
