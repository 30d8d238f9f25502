"""GET /metrics: what is open and what was counted, with few labels, and open unless told not to."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from local.postgres import Postgres
from local.valkey import Valkey
from shared.accounts import holds
from shared.models import Account, Job, Post, Profile, Pulse
from tests.servers.api import Api
from tests.servers.settings import make_settings
from tests.timing.patience import PATIENCE
from web.metrics import collector, database_metrics

#: What a label may hold: our own few words and routes, and numbers of accounts.
LABELS = {"le", "state", "event", "code", "step", "kind", "result", "what", "task", "due", "route"}
LABELS |= {"status", "outcome", "method", "channel", "queue", "condition", "account", "process"}
LABELS.add("where")


@pytest.fixture
def own_api(
    postgres: Postgres, valkey_server: Valkey, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Api]:
    """Of an application that was asked for no figures yet."""
    postgres.create_database("figures", template="migrated")
    more: dict[str, str] = getattr(request, "param", {})
    api = Api(
        make_settings(postgres.url("figures"), tmp_path, REDIS_URL=valkey_server.url(), **more)
    )
    yield api
    api.close()
    postgres.drop_database("figures")


def figures(api: Api, **more: str) -> dict[str, dict[tuple[str, ...], float]]:
    reply = api.get("/metrics", key=None, **more)
    assert reply.status_code == 200
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            assert set(sample.labels) <= LABELS, sample
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def posts_of(api: Api, profile: str, **states: int) -> None:
    """A job with so many posts in each state, due now."""
    with api.services.database.transaction() as session:
        account = session.scalars(select(Account.id)).first()
        if account is None:
            row = Account(server="https://p.example", key_hash="k", budget_limit=30, budget_used=4)
            session.add(row)
            session.flush()
            account = row.id
        job = Job(kind="publish", profile_id=profile)
        session.add(job)
        session.flush()
        session.execute(text("UPDATE profiles SET account_id = :a"), {"a": account})
        for state, count in states.items():
            session.add_all(
                Post(
                    job_id=job.id,
                    position=number,
                    profile_id=profile,
                    account_id=account,
                    integration_id="int",
                    content="a caption of a client",
                    publish_at=text("now() - interval '90 seconds'"),
                    handoff="staged",
                    state=state,
                    track_at=text("now()") if state == "scheduled" else None,
                    release_at=text("now()") if state == "staged" else None,
                )
                for number in range(count)
            )


def test_it_tells_what_is_open(own_api: Api) -> None:
    own_api.post("/profiles", {"id": "acme", "name": "Acme"})
    posts_of(own_api, "acme", pending=3, staged=2, releasing=1, scheduled=4, failed=1, published=7)
    with own_api.services.database.transaction() as session:
        session.add(Pulse(name="beat"))
    found = figures(own_api)
    states = found["pressroom_posts"]
    assert states[("pending",)] == 3
    assert states[("staged",)] == 2
    assert states[("releasing",)] == 1
    assert states[("scheduled",)] == 4
    assert states[("failed",)] == 1
    assert ("published",) not in states
    assert found["pressroom_account_backlog"] == {("1",): 6}
    assert found["pressroom_account_budget_remaining"] == {("1",): 26}
    assert found["pressroom_accounts"][("sound",)] == 1
    for state in ("pending", "staged"):
        assert 90 <= found["pressroom_oldest_due_seconds"][(state,)] < 90 + PATIENCE
    assert found["pressroom_jobs_unfinished"] == {(): 1}
    assert found["pressroom_seen_seconds_ago"][("beat",)] < PATIENCE
    assert found["pressroom_database_up"] == found["pressroom_broker_up"] == {(): 1}
    assert set(found["pressroom_broker_messages"]) == {
        ("release",),
        ("publish",),
        ("upload",),
        ("fetch",),
        ("webhooks",),
    }


def test_what_is_held_back_is_not_late(own_api: Api) -> None:
    own_api.post("/profiles", {"id": "acme", "name": "Acme"})
    posts_of(own_api, "acme", pending=1, staged=1)
    own_api.post("/profiles/acme/pause")
    assert set(figures(own_api)["pressroom_oldest_due_seconds"].values()) == {0}


def test_it_tells_what_keeps_accounts_from_publishing(own_api: Api) -> None:
    own_api.post("/profiles", {"id": "acme", "name": "Acme"})
    posts_of(own_api, "acme", pending=1)
    with own_api.services.database.transaction() as session:
        blocked = text("now() + interval '10 minutes'")
        session.execute(update(Account).values(blocked_until=blocked))
        session.execute(update(Profile).values(key_hash="refused"))
        account_id = session.scalars(select(Account.id)).one()
        holds.hold_key(session, account_id, "refused", reason="plan_limit", message="pay first")
    found = figures(own_api)
    wrong = {name for (name,), count in found["pressroom_accounts"].items() if count}
    assert wrong == {"held", "blocked"}
    assert 590 < found["pressroom_account_blocked_seconds"][("1",)] <= 600


def test_requests_are_counted_by_rule_and_never_by_path(own_api: Api) -> None:
    own_api.get("/jobs/123456")
    own_api.get("/nowhere/a-secret-path")
    own_api.call("BREW", "/jobs/123456")
    reply = own_api.get("/metrics", key=None).text
    assert 'route="/api/v1/jobs/<id>",status="404"' in reply
    assert not re.search(r"123456|a-secret-path|BREW", reply)


def test_it_names_no_client(own_api: Api) -> None:
    own_api.post("/profiles", {"id": "acme", "name": "Acme"})
    posts_of(own_api, "acme", pending=1)
    assert not re.search(r"acme|p\.example|caption", own_api.get("/metrics", key=None).text)


def test_a_database_that_is_away_is_a_figure(own_api: Api, postgres: Postgres) -> None:
    postgres.drop_database("figures")
    try:
        found = figures(own_api)
        assert found["pressroom_database_up"] == {(): 0}
        assert found["pressroom_broker_up"] == {(): 1}
        assert "pressroom_posts" not in found
    finally:
        postgres.create_database("figures", template="migrated")


def test_many_who_ask_cost_one_look(own_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    read = database_metrics.read_metrics

    def counted(session: Session) -> Iterator[Metric]:
        looks.append(1)
        return read(session)

    monkeypatch.setattr(database_metrics, "read_metrics", counted)
    monkeypatch.setattr(collector, "TTL", PATIENCE)
    for _ in range(20):
        figures(own_api)
    assert len(looks) == 1


@pytest.mark.parametrize("own_api", [{"PRESSROOM_METRICS_TOKEN": "a-long-token"}], indirect=True)
def test_with_a_token_it_is_closed_to_others(own_api: Api) -> None:
    assert own_api.get("/metrics", key=None).status_code == 401
    assert own_api.get("/metrics", key="another").status_code == 401
    assert own_api.get("/metrics", key="a-long-token").status_code == 200


def test_every_count_is_read_from_an_index(own_api: Api) -> None:
    with own_api.services.database.transaction() as session:
        own_api.post("/profiles", {"id": "acme", "name": "Acme"})
    posts_of(own_api, "acme", pending=20, staged=20, scheduled=20, failed=20)
    with own_api.services.database.transaction() as session:
        columns = "job_id, position, profile_id, account_id, integration_id, content, publish_at"
        session.execute(
            text(
                f"INSERT INTO posts ({columns}, handoff, state) SELECT {columns}, handoff, "
                "'published' FROM posts, generate_series(1, 300)"
            )
        )
        session.execute(text("ANALYZE posts"))
        for where in (
            "state = 'pending'",
            "state = 'staged'",
            "state = 'failed'",
            "state IN ('staging', 'releasing', 'cancelling')",
            "state = 'scheduled' AND track_at IS NOT NULL",
        ):
            query = f"SELECT account_id, state, count(*) FROM posts WHERE {where} GROUP BY 1, 2"
            plan = "\n".join(session.scalars(text(f"EXPLAIN {query}")))
            assert "Index" in plan, plan
            assert "Seq Scan" not in plan, plan
