"""A job's end as users are told it: by what is left, and none while nothing goes out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from shared.models import Account, Post
from tests.factories.jobs import make_job, set_states
from tests.servers.api import Api


def at(value: str) -> datetime:
    return datetime.fromisoformat(value)


def account(api: Api) -> dict[str, Any]:
    [row] = api.get("/accounts").json["items"]
    return dict(row)


def change(api: Api, model: type[Account] | type[Post], **values: Any) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(model).values(values))


def test_a_job_ends_with_the_last_due_post_or_when_the_budget_allows(api: Api) -> None:
    job = make_job(api, 3)
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    change(api, Post, publish_at=due, handoff="staged")
    assert at(api.get(f"/jobs/{job}").json["eta"]) == due
    assert at(account(api)["drained_at"]) == due
    blocked = due + timedelta(hours=3)
    change(api, Account, blocked_until=blocked)
    settle = timedelta(seconds=api.services.settings.settle_seconds)
    assert at(api.get(f"/jobs/{job}").json["eta"]) == blocked + settle
    [listed] = [row for row in api.get("/jobs").json["items"] if row["id"] == job]
    assert at(listed["eta"]) == blocked + settle
    assert at(account(api)["drained_at"]) == blocked + settle


def test_a_job_in_the_calendar_ends_when_postiz_has_it(api: Api) -> None:
    job = make_job(api, 2)
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    change(api, Post, publish_at=due, handoff="calendar")
    assert at(api.get(f"/jobs/{job}").json["eta"]) < due - timedelta(days=2)
    change(api, Post, publish_at=due + timedelta(days=20))
    assert at(api.get(f"/jobs/{job}").json["eta"]) == due + timedelta(days=6)


@pytest.mark.parametrize("level", ["jobs", "profiles", "accounts"])
def test_there_is_no_end_while_it_is_paused(api: Api, level: str) -> None:
    job = make_job(api, 2)
    paths = {
        "jobs": f"/jobs/{job}",
        "profiles": "/profiles/acme",
        "accounts": f"/accounts/{account(api)['id']}",
    }
    assert api.get(f"/jobs/{job}").json["eta"] is not None
    assert api.post(f"{paths[level]}/pause", None).status_code in {200, 202}
    assert api.get(f"/jobs/{job}").json["eta"] is None
    assert account(api)["drained_at"] is None
    assert account(api)["backlog"] == 2
    api.post(f"{paths[level]}/resume", None)
    assert api.get(f"/jobs/{job}").json["eta"] is not None


def test_a_job_that_is_over_has_no_end_to_come(api: Api) -> None:
    job = make_job(api, 2)
    set_states(api, "published", "failed")
    shown = api.get(f"/jobs/{job}").json
    assert (shown["eta"], shown["percentage"]) == (None, 100)
    assert account(api)["drained_at"] is None


MANY_DONE = """INSERT INTO posts (job_id, position, profile_id, account_id, integration_id, content,
    publish_at, handoff, state)
  SELECT job_id, number, profile_id, account_id, integration_id, content, publish_at, handoff,
    'published' FROM posts, generate_series(10, 30000) AS number WHERE position = 0"""


def test_what_is_left_is_counted_by_the_indexes(api: Api) -> None:
    """Many posts that are done are not read for the few that are not."""
    make_job(api, 2)
    with api.services.database.transaction() as session:
        session.execute(text(MANY_DONE))
        session.execute(text("ANALYZE posts"))
        backlog = "account_id = 1 AND state IN ('pending', 'staging', 'staged', 'releasing')"
        rows = session.execute(text(f"EXPLAIN SELECT 1 FROM posts WHERE {backlog}"))
        plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan" not in plan, plan
