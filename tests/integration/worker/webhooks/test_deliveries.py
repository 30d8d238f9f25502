"""Deliveries of webhooks at a real receiver, verified by the published library."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, event, func, select, text, update
from standardwebhooks.webhooks import WebhookVerificationError

from local.child import ROOT
from local.valkey import Valkey
from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.domain.webhook_retries import (
    JOB_COMPLETED,
    PATIENCE,
    POST_PUBLISHED,
    POST_SCHEDULED,
    SERVER_STALLED,
)
from shared.errors import ClaimLost
from shared.models import Account, Delivery, Job, Post, Profile, Webhook
from shared.posts import transitions
from shared.webhooks import outbox, subscriptions
from tests.servers.api import Api
from tests.servers.receiver import Receiver, Say, receiving
from tests.servers.settings import SECRET_KEY
from tests.timing import patience
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.runtimes import make_runtime, worker_beside
from web.metrics import collector as web_figures
from worker import sweep
from worker.runtime import Runtime
from worker.webhooks import deliver, delivery_attempt

S = PostState
POST_EVENTS = [POST_SCHEDULED, POST_PUBLISHED, "post.failed"]


@pytest.fixture
def runtime(bare_api: Api, tmp_path: Path) -> Iterator[Runtime]:
    with worker_beside(bare_api, tmp_path) as started:
        yield started


def hook(api: Api, url: str, *events: str, **more: Any) -> dict[str, Any]:
    made = api.post("/webhooks", {"url": url, "events": list(events) or POST_EVENTS, **more})
    assert made.status_code == 201, made.text
    return dict(made.json)


def some_posts(database: Database, number: int, profile: str = "acme") -> list[int]:
    """Posts that are being released."""
    with database.transaction() as session:
        if session.get(Profile, profile) is None:
            session.add(Profile(id=profile, name=profile, tts_settings={}))
        account = Account(server="http://nowhere", key_hash=f"of-{profile}")
        session.add(account)
        session.flush()
        job = Job(kind="publish", profile_id=profile, total=number)
        session.add(job)
        session.flush()
        same = {
            "job_id": job.id,
            "profile_id": profile,
            "account_id": account.id,
            "integration_id": "int-x",
            "integration_identifier": "x",
            "handoff": "staged",
            "state": "releasing",
            "publish_at": datetime(2026, 11, 22, 18, 30, tzinfo=UTC),
        }
        rows = [
            Post(position=place, content=f"clip {place} ü 🎬", external_id=f"e{place}", **same)
            for place in range(number)
        ]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def move(database: Database, ids: list[int], source: PostState, target: PostState) -> None:
    with database.transaction() as session:
        transitions.move_posts(session, ids, source, target, event=target)


def scheduled(database: Database, number: int = 1, profile: str = "acme") -> list[int]:
    ids = some_posts(database, number, profile)
    move(database, ids, S.RELEASING, S.SCHEDULED)
    return ids


def rows(database: Database) -> list[Delivery]:
    with database.transaction() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def the_hook(database: Database) -> Webhook:
    with database.transaction() as session:
        return session.scalars(select(Webhook)).one()


def time_passes(database: Database) -> None:
    """All that waits for its time is due, and each webhook has rested."""
    with database.transaction() as session:
        session.execute(update(Delivery).values(next_at=func.now()))
        session.execute(update(Webhook).values(retry_at=None))


def test_every_delivery_is_signed_and_shows_the_post_as_the_api_does(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    secret = hook(bare_api, receiver.url)["secret"]
    [post_id] = scheduled(runtime.database)
    thread = [
        {"content": "one", "media_ids": [7, 8], "delay_minutes": 5},
        {"content": "two", "media_ids": [], "delay_minutes": 0},
    ]
    with runtime.database.transaction() as session:
        session.execute(update(Post).where(Post.id == post_id).values(thread=thread))
        transitions.fail_posts(
            session, [post_id], S.SCHEDULED, code="c", message="Why", hint="What to do"
        )
    deliver.send_due_deliveries(runtime)
    told = {one.payload["type"]: one.verified(secret) for one in receiver.heard}
    assert set(told) == {"post.scheduled", "post.failed"}
    failed = told["post.failed"]
    shown = bare_api.get(f"/posts/{post_id}").json
    del shown["timeline"]
    assert failed["data"] == shown
    assert failed["data"]["error"] == {
        "code": "c",
        "message": "Why",
        "hint": "What to do",
        "may_be_live": False,
    }
    assert datetime.fromisoformat(failed["timestamp"]).tzinfo is not None
    assert len({one.id for one in receiver.heard}) == 2
    assert {row.state for row in rows(runtime.database)} == {"delivered"}


def test_a_finished_job_is_told_once_and_as_the_api_shows_it(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    secret = hook(bare_api, receiver.url, JOB_COMPLETED)["secret"]
    ids = scheduled(runtime.database, 2)
    for _ in range(2):
        sweep.run_sweep(runtime)
    deliver.send_due_deliveries(runtime)
    [one] = receiver.heard
    with runtime.database.transaction() as session:
        job_id = session.get_one(Post, ids[0]).job_id
    shown = bare_api.get(f"/jobs/{job_id}").json
    told = one.verified(secret)["data"]
    assert told == {name: shown[name] for name in told}
    assert set(shown) - set(told) == {"eta"}
    assert (told["state"], told["counts"]) == ("completed", {"scheduled": 2})


def test_what_is_rolled_back_is_never_told(bare_api: Api, runtime: Runtime) -> None:
    hook(bare_api, "http://127.0.0.1:1/")
    ids = some_posts(runtime.database, 2)
    with pytest.raises(RuntimeError), runtime.database.transaction() as session:
        transitions.move_posts(session, ids, S.RELEASING, S.SCHEDULED, event="scheduled")
        raise RuntimeError("the process fails before its commit")
    with pytest.raises(ClaimLost):
        move(runtime.database, [*ids, 10**9], S.RELEASING, S.SCHEDULED)
    assert rows(runtime.database) == []
    move(runtime.database, ids, S.RELEASING, S.SCHEDULED)
    assert len(rows(runtime.database)) == 2


def statements(engine: Engine, work: Callable[[], object]) -> int:
    counted: list[str] = []

    def count(*found: Any) -> None:
        counted.append(found[2])

    event.listen(engine, "before_cursor_execute", count)
    work()
    event.remove(engine, "before_cursor_execute", count)
    return len(counted)


def test_telling_costs_a_move_one_statement_however_many_posts_and_webhooks(
    bare_api: Api, runtime: Runtime
) -> None:
    database = runtime.database

    def cost(number: int) -> int:
        ids = some_posts(database, number)
        return statements(database.engine, lambda: move(database, ids, S.RELEASING, S.SCHEDULED))

    without = cost(3)
    for _ in range(3):
        hook(bare_api, "http://127.0.0.1:1/")
    assert cost(500) == without
    assert len(rows(database)) == 3 * 500
    assert len({row.message_id for row in rows(database)}) == 500  # one of each event


def test_a_receiver_that_fails_is_tried_again_at_the_specs_times_under_the_same_id(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    secret = hook(bare_api, receiver.url)["secret"]
    receiver.answers = [Say(500), Say(404), Say(200)]
    scheduled(runtime.database)
    for wait, status in ((5, 500), (300, 404)):
        deliver.send_due_deliveries(runtime)
        [row] = rows(runtime.database)
        left = (row.next_at - datetime.now(UTC)).total_seconds()
        assert wait - 2 < left < wait * 1.1 + 0.1
        assert (row.state, row.tried[-1]["status"]) == ("pending", status)
        time_passes(runtime.database)
    deliver.send_due_deliveries(runtime)
    [row] = rows(runtime.database)
    assert (row.state, row.attempts, len(row.tried)) == ("delivered", 3, 3)
    assert len({one.id for one in receiver.heard}) == 1
    assert len({one.body for one in receiver.heard}) == 1
    assert all(one.verified(secret) for one in receiver.heard)
    assert the_hook(runtime.database).failing_since is None


def figures(api: Api) -> dict[str, float]:
    """What /metrics says, by name and labels."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(api.get("/metrics", key=None).text)
        for sample in family.samples
    }


def test_the_figures_tell_what_waits_and_what_came_of_the_attempts(
    bare_api: Api, runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_figures, "TTL", 0)
    monkeypatch.setattr(web_figures, "SHARE", float("inf"))
    made = hook(bare_api, receiver.url)
    receiver.answers = [Say(500), Say(200)]
    scheduled(runtime.database)
    before = figures(bare_api)
    assert before["pressroom_webhooks sound"] == before["pressroom_deliveries_waiting"] == 1
    deliver.send_due_deliveries(runtime)
    failing = figures(bare_api)
    assert failing["pressroom_webhooks failing"] == failing["pressroom_deliveries_waiting"] == 1
    time_passes(runtime.database)
    deliver.send_due_deliveries(runtime)
    after = figures(bare_api)
    assert (after["pressroom_webhooks sound"], after["pressroom_deliveries_waiting"]) == (1, 0)
    for outcome in ("refused", "accepted"):
        name = f"pressroom_delivery_seconds_count {outcome}"
        assert after[name] == before.get(name, 0) + 1
    bare_api.call("PATCH", f"/webhooks/{made['id']}", json={"enabled": False})
    assert figures(bare_api)["pressroom_webhooks switched off"] == 1


def test_a_slow_receiver_delays_no_other(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    """It answers only once the other has everything."""
    with receiving([Say(once=lambda: len(receiver.heard) == 20)]) as slow:
        hook(bare_api, slow.url)
        hook(bare_api, receiver.url)
        scheduled(runtime.database, 20)
        deliver.send_due_deliveries(runtime)
        while len(slow.heard) < 20:
            deliver.send_due_deliveries(runtime)
    assert {row.state for row in rows(runtime.database)} == {"delivered"}
    assert {row.attempts for row in rows(runtime.database)} == {1}


def test_many_silent_receivers_delay_no_other(
    bare_api: Api, runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have not answered before, and do only once the other has everything."""
    monkeypatch.setattr(deliver, "THREADS", 4)
    with receiving([Say(once=lambda: len(receiver.heard) == 5)] * 40) as silent:
        for _ in range(40):
            hook(bare_api, silent.url)
        with runtime.database.transaction() as session:
            session.execute(update(Webhook).values(failures=3, failing_since=func.now()))
        hook(bare_api, receiver.url)
        scheduled(runtime.database, 5)
        deliver.send_due_deliveries(runtime)
        assert len(receiver.heard) == 5
    tried = [entry for row in rows(runtime.database) for entry in row.tried]
    assert [entry["error"] for entry in tried if entry["error"]] == []


def test_a_receiver_that_does_not_answer_is_cut_off_and_rests(
    bare_api: Api, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_attempt, "TOTAL_SECONDS", 1.0)
    over = threading.Event()
    with receiving([Say(once=over.is_set)]) as silent:
        hook(bare_api, silent.url)
        scheduled(runtime.database, 3)
        deliver.send_due_deliveries(runtime)
        assert len(silent.heard) == 1  # one at a time until it answers
        over.set()
    tried = [entry for row in rows(runtime.database) for entry in row.tried]
    assert [entry["error"] for entry in tried] == ["no answer within 1 s"]
    assert the_hook(runtime.database).retry_at is not None


def test_a_webhook_that_is_being_deleted_does_not_disturb_a_move(
    bare_api: Api, runtime: Runtime
) -> None:
    hook(bare_api, "http://127.0.0.1:1/")
    ids = some_posts(runtime.database, 2)
    mover = threading.Thread(target=scheduled_by_thread, args=(runtime.database, ids))
    with runtime.database.transaction() as session:
        session.delete(session.scalars(select(Webhook)).one())
        session.flush()
        mover.start()
        until_somebody_waits_for_a_lock(runtime.database)
    mover.join()
    with runtime.database.transaction() as session:
        states = session.scalars(select(Post.state).where(Post.id.in_(ids))).all()
    assert states == ["scheduled"] * 2
    assert rows(runtime.database) == []


def test_a_long_log_that_is_being_deleted_does_not_hold_up_a_move(
    bare_api: Api, runtime: Runtime
) -> None:
    """A delivery that somebody has locked stands for as many rows as it takes."""
    made = hook(bare_api, "http://127.0.0.1:1/")
    scheduled(runtime.database)
    ids = some_posts(runtime.database, 2)
    path = f"/webhooks/{made['id']}"
    with ThreadPoolExecutor(1) as threads:
        with runtime.database.transaction() as session:
            session.scalars(select(Delivery).with_for_update()).one()
            deleting = threads.submit(bare_api.call, "DELETE", path)
            until_somebody_waits_for_a_lock(runtime.database)
            with runtime.database.transaction() as moving:
                moving.execute(text("SET LOCAL lock_timeout = '500ms'"))
                transitions.move_posts(moving, ids, S.RELEASING, S.SCHEDULED, event=S.SCHEDULED)
        assert deleting.result().status_code == 204
    assert bare_api.get(path).status_code == 404
    assert rows(runtime.database) == []


def scheduled_by_thread(database: Database, ids: list[int]) -> None:
    move(database, ids, S.RELEASING, S.SCHEDULED)


def until_somebody_waits_for_a_lock(database: Database) -> None:
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + patience.PATIENCE
    while True:
        with database.transaction() as session:
            if session.scalar(query):
                return
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_that_trickles_in_is_cut_off_in_total(
    bare_api: Api, runtime: Runtime, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it the answer's headers, or what should be TLS."""
    monkeypatch.setattr(delivery_attempt, "TOTAL_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        hook(bare_api, f"{scheme}://127.0.0.1:{server.getsockname()[1]}/")
        scheduled(runtime.database)
        trickle = subprocess.Popen(
            [sys.executable, "-c", _TRICKLE, str(server.fileno()), scheme],
            pass_fds=[server.fileno()],
        )
        deliver.send_due_deliveries(runtime)
        trickle.kill()  # its answer has no end of its own
        trickle.wait()
    [row] = rows(runtime.database)
    assert row.tried[0]["error"] == "no answer within 1 s"


#: Answers a byte every tenth of a second, without end.
_TRICKLE = """
import socket, sys, time
connection, _ = socket.socket(fileno=int(sys.argv[1])).accept()
begun = {"http": b"HTTP/1.1 200 OK\\r\\nX: ", "https": b"\\x16\\x03\\x03\\x40\\x00"}
connection.sendall(begun[sys.argv[2]])
while True:
    connection.sendall(b"x")
    time.sleep(0.1)
"""


def test_a_redirect_is_not_followed(bare_api: Api, runtime: Runtime, receiver: Receiver) -> None:
    with receiving() as private:
        hook(bare_api, receiver.url)
        receiver.answers = [Say(307, {"Location": private.url})]
        scheduled(runtime.database)
        deliver.send_due_deliveries(runtime)
        assert private.heard == []
    [row] = rows(runtime.database)
    assert (row.state, row.tried[0]["status"]) == ("pending", 307)


def test_a_name_that_leads_elsewhere_at_the_second_look_is_not_connected_to(
    bare_api: Api, runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was public when the webhook was made; now it is this machine."""
    port = int(receiver.url.split(":")[2].split("/")[0])
    strict = make_runtime(
        runtime.settings.database_url.get_secret_value(),
        Path("/nonexistent"),
        PRESSROOM_ALLOW_PRIVATE_URLS="0",
    )
    real = socket.getaddrinfo

    def rebinding(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "rebinding.example" else host, *rest, **more)

    hook(bare_api, f"http://rebinding.example:{port}/hook")
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    scheduled(runtime.database)
    deliver.send_due_deliveries(strict)
    strict.close()
    assert receiver.heard == []
    [row] = rows(runtime.database)
    assert "rebinding.example is the private address 127.0.0.1" in row.tried[0]["error"]
    time_passes(runtime.database)
    deliver.send_due_deliveries(runtime)  # where private addresses are allowed, the same name is
    assert len(receiver.heard) == 1


def test_gone_disables_the_webhook_and_what_happens_then_is_not_noted(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    made = hook(bare_api, receiver.url)
    receiver.answers = [Say(410)]
    ids = scheduled(runtime.database, 3)
    deliver.send_due_deliveries(runtime)
    assert len(receiver.heard) == 1
    shown = bare_api.get(f"/webhooks/{made['id']}").json
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "the receiver answered 410 Gone")
    move(runtime.database, ids, S.SCHEDULED, S.PUBLISHED)
    assert [row.state for row in rows(runtime.database)] == ["failed", "pending", "pending"]
    time_passes(runtime.database)
    deliver.send_due_deliveries(runtime)
    assert len(receiver.heard) == 1

    receiver.answers = [Say()]
    enabled = bare_api.call("PATCH", f"/webhooks/{made['id']}", json={"enabled": True}).json
    assert (enabled["enabled"], enabled["disabled_reason"]) == (True, None)
    deliver.send_due_deliveries(runtime)
    assert len(receiver.heard) == 3, "what waited goes out"


def test_a_receiver_that_fails_for_days_is_disabled_with_the_reason(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    made = hook(bare_api, receiver.url)
    receiver.answers = [Say(500)]
    scheduled(runtime.database)
    deliver.send_due_deliveries(runtime)
    assert the_hook(runtime.database).enabled
    time_passes(runtime.database)
    with runtime.database.transaction() as session:
        session.execute(update(Webhook).values(failing_since=func.now() - PATIENCE))
    deliver.send_due_deliveries(runtime)
    shown = bare_api.get(f"/webhooks/{made['id']}").json
    assert not shown["enabled"]
    assert shown["disabled_reason"].endswith("for 3 days, the last one because it answered 500")
    assert shown["failures"] == 2


def test_ten_attempts_are_the_end_of_a_delivery(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    hook(bare_api, receiver.url)
    receiver.answers = [Say(500)]
    scheduled(runtime.database)
    for _ in range(12):
        deliver.send_due_deliveries(runtime)
        time_passes(runtime.database)
    [row] = rows(runtime.database)
    assert (row.state, row.attempts, len(receiver.heard)) == ("failed", 10, 10)


def test_a_receiver_that_asks_for_time_gets_it(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    hook(bare_api, receiver.url)
    receiver.answers = [Say(429, {"Retry-After": "120"}), Say()]
    scheduled(runtime.database, 2)
    for _ in range(2):
        deliver.send_due_deliveries(runtime)
    assert len(receiver.heard) == 1
    first, second = sorted(rows(runtime.database), key=lambda row: -row.attempts)
    in_time = datetime.now(UTC) + timedelta(seconds=110)
    assert first.next_at > in_time
    assert second.attempts == 0
    rested_until = the_hook(runtime.database).retry_at
    assert rested_until is not None
    assert rested_until > in_time


def test_both_secrets_sign_for_a_day_after_a_rotation(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    made = hook(bare_api, receiver.url)
    newer = bare_api.post(f"/webhooks/{made['id']}/rotate").json["secret"]
    newest = bare_api.post(f"/webhooks/{made['id']}/rotate").json["secret"]
    ids = scheduled(runtime.database)
    deliver.send_due_deliveries(runtime)
    [one] = receiver.heard
    assert all(one.verified(secret) for secret in (made["secret"], newer, newest))
    with pytest.raises(WebhookVerificationError):
        one.verified(subscriptions.new_secret())

    with runtime.database.transaction() as session:
        row = session.scalars(select(Webhook)).one()
        over = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        row.old_secrets = [{**old, "until": over} for old in row.old_secrets]
    move(runtime.database, ids, S.SCHEDULED, S.PUBLISHED)
    deliver.send_due_deliveries(runtime)
    last = receiver.heard[-1]
    assert last.verified(newest)
    with pytest.raises(WebhookVerificationError):
        last.verified(made["secret"])


def test_a_delivery_is_made_again_on_demand_under_the_same_id(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    made = hook(bare_api, receiver.url)
    scheduled(runtime.database)
    deliver.send_due_deliveries(runtime)
    log = f"/webhooks/{made['id']}/deliveries"
    [entry] = bare_api.get(log).json["items"]
    assert (entry["state"], entry["tried"][0]["status"]) == ("delivered", 200)
    again = bare_api.post(f"{log}/{entry['id']}/redeliver")
    assert (again.status_code, again.json["state"]) == (202, "pending")
    deliver.send_due_deliveries(runtime)
    assert [one.id for one in receiver.heard] == [entry["message_id"]] * 2
    whole = bare_api.get(f"{log}/{entry['id']}").json
    assert (whole["state"], len(whole["tried"])) == ("delivered", 2)
    assert whole["payload"] == receiver.heard[0].payload


def test_a_worker_killed_in_mid_delivery_costs_a_repetition_and_no_loss(
    bare_api: Api, runtime: Runtime, receiver: Receiver, valkey_server: Valkey, tmp_path: Path
) -> None:
    """It dies after the receiver has answered and before that is written down."""
    secret = hook(bare_api, receiver.url)["secret"]
    scheduled(runtime.database)
    environ = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": runtime.settings.database_url.get_secret_value(),
        "REDIS_URL": valkey_server.url(),
        "PRESSROOM_SECRET_KEYS": SECRET_KEY,
        "PRESSROOM_MEDIA_URL": f"file://{tmp_path}/media",
        "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
        "PRESSROOM_FAILPOINTS": "deliver.after_answer=1",
    }
    child = subprocess.Popen([sys.executable, "-m", "tests.workers.child"], cwd=ROOT, env=environ)
    try:
        assert child.wait(timeout=patience.PATIENCE) == -signal.SIGKILL
    finally:
        child.kill()
    [row] = rows(runtime.database)
    assert (row.state, row.attempts, len(receiver.heard)) == ("pending", 1, 1)
    deliver.send_due_deliveries(runtime)
    assert len(receiver.heard) == 1, "its claim still holds"
    time_passes(runtime.database)
    deliver.send_due_deliveries(runtime)
    assert [one.id for one in receiver.heard] == [row.message_id] * 2
    assert all(one.verified(secret) for one in receiver.heard)
    assert rows(runtime.database)[0].state == "delivered"


def has_due(runtime: Runtime) -> bool:
    with runtime.database.transaction() as session:
        return deliver.has_due_deliveries(session)


def test_a_tick_wakes_the_courier_only_for_what_is_due(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    hook(bare_api, receiver.url)
    assert not has_due(runtime)
    scheduled(runtime.database)
    sweep.run_tick(runtime)
    assert ("pressroom.deliver", 0) in waiting_tasks(runtime)
    deliver.send_due_deliveries(runtime)
    assert not has_due(runtime)


def test_two_couriers_never_deliver_the_same(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    """As on two machines."""
    hook(bare_api, receiver.url)
    scheduled(runtime.database, 300)

    def deliver_all() -> None:
        while has_due(runtime):  # a task ends after some seconds, and a machine may be late
            deliver.send_due_deliveries(runtime)

    threads = [threading.Thread(target=deliver_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.heard) == 300
    assert len({one.id for one in receiver.heard}) == 300


def test_a_webhook_restricted_to_other_profiles_gets_nothing_of_before(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    """Whoever may change its address by then must not receive what was meant for others."""
    scheduled(runtime.database, 1, "acme")
    scheduled(runtime.database, 1, "other")
    made = hook(bare_api, receiver.url)
    scheduled(runtime.database, 1, "acme")
    scheduled(runtime.database, 1, "other")
    change = {"profile_ids": ["other"]}
    assert bare_api.call("PATCH", f"/webhooks/{made['id']}", json=change).status_code == 200
    scheduled(runtime.database, 1, "acme")
    deliver.send_due_deliveries(runtime)
    assert [one.payload["data"]["profile_id"] for one in receiver.heard] == ["other"]
    others = bare_api.key("settings", profiles=["other"])
    listed = bare_api.get(f"/webhooks/{made['id']}/deliveries", key=others).json["items"]
    assert [entry["message_id"] for entry in listed] == [receiver.heard[0].id]


def test_what_was_also_about_a_profile_that_is_deleted_reaches_the_others(
    bare_api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    """Without a word of the deleted one."""
    for name in ("acme", "other"):
        some_posts(runtime.database, 1, name)
    both = ["acme", "other"]
    made = hook(bare_api, receiver.url, SERVER_STALLED, profile_ids=both)
    with runtime.database.transaction() as session:
        session.execute(
            update(Profile).values(account_id=select(func.min(Account.id)).scalar_subquery())
        )
        outbox.enqueue_server_event(session, "http://nowhere", SERVER_STALLED)
        told = session.scalars(select(Delivery)).one()
        assert (told.profile_ids, told.data["profile_ids"]) == (both, both)
        subscriptions.forget_profile(session, "acme")
    deliver.send_due_deliveries(runtime)
    assert [one.payload["data"]["profile_ids"] for one in receiver.heard] == [["other"]]
    others = bare_api.key("settings", profiles=["other"])
    listed = bare_api.get(f"/webhooks/{made['id']}/deliveries", key=others).json["items"]
    assert [entry["state"] for entry in listed] == ["delivered"]


def test_a_cancel_that_came_too_late_is_not_told_as_news(bare_api: Api, runtime: Runtime) -> None:
    hook(bare_api, "http://127.0.0.1:1/")
    ids = scheduled(runtime.database)
    move(runtime.database, ids, S.SCHEDULED, S.CANCELLING)
    move(runtime.database, ids, S.CANCELLING, S.SCHEDULED)
    assert [row.event for row in rows(runtime.database)] == [POST_SCHEDULED]
