"""One row that cannot be worked with, before good ones, in each loop that serves everybody."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.crypto import SecretBox
from shared.domain.publishing.states import PostState
from shared.domain.webhook_retries import MAX_ATTEMPTS
from shared.intake import deferred_rules
from shared.models import (
    Account,
    Delivery,
    Hold,
    IdempotencyKey,
    Media,
    Post,
    Profile,
    Schedule,
    ScheduleRun,
    Webhook,
)
from shared.schedules.definitions import RunContext
from shared.webhooks import subscriptions
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.servers.api import Api
from tests.servers.receiver import Receiver
from tests.servers.settings import SECRET_KEY
from tests.workers.runtimes import worker_beside
from tests.workers.world import World
from web.metrics import database_metrics
from worker.accounts import organization_lookup
from worker.retention import clean, prune
from worker.runtime import Runtime
from worker.schedules import fire
from worker.staging import deferred_validation
from worker.webhooks import deliver, delivery_log

BULK = {"items": [{"caption": "again"}], "integration_ids": ["int-mastodon"]}
STRANGER = SecretBox([Fernet.generate_key().decode()])
AGO = timedelta(minutes=3)


@pytest.fixture
def runtime(api: Api, tmp_path: Path) -> Iterator[Runtime]:
    with worker_beside(api, tmp_path) as started:
        yield started


def two_hooks(api: Api, url: str) -> tuple[int, int]:
    """Two webhooks, each with an event to be told."""
    made = [api.post("/webhooks", {"url": url, "events": ["post.failed"]}) for _ in range(2)]
    ids = [int(reply.json["id"]) for reply in made]
    with api.services.database.transaction() as session:
        for webhook_id in ids:
            event = {"event": "post.failed", "profile_ids": ["acme"], "data": {}}
            session.add(Delivery(webhook_id=webhook_id, message_id="m", **event))
    return ids[0], ids[1]


def change(api: Api, webhook_id: int, **values: object) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(Webhook).where(Webhook.id == webhook_id).values(**values))


def delivery(api: Api, webhook_id: int) -> dict[str, Any]:
    [shown] = api.get(f"/webhooks/{webhook_id}/deliveries").json["items"]
    return dict(shown)


def test_a_webhook_whose_secret_no_key_opens_fails_alone(
    api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    bad, good = two_hooks(api, receiver.url)
    change(api, bad, secret=STRANGER.seal("whsec_" + "A" * 44))
    deliver.send_due_deliveries(runtime)
    assert delivery(api, good)["state"] == "delivered"
    failed = delivery(api, bad)
    assert failed["state"] == "pending" and failed["attempts"] == 1
    assert failed["tried"][0]["error"].startswith("secret_unreadable")
    shown = {hook["id"]: hook for hook in api.get("/webhooks").json["items"]}
    assert [shown[str(each)]["held"] for each in (bad, good)] == ["secret_unreadable", None]
    assert [shown[str(each)]["failures"] for each in (bad, good)] == [1, 0]


def test_a_webhook_with_a_new_secret_goes_on_though_its_old_one_is_unreadable(
    api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    bad, _ = two_hooks(api, receiver.url)
    change(api, bad, secret=STRANGER.seal("whsec_" + "A" * 44))
    secret = api.post(f"/webhooks/{bad}/rotate").json["secret"]
    deliver.send_due_deliveries(runtime)
    assert delivery(api, bad)["state"] == "delivered"
    assert any(verifies(heard, secret) for heard in receiver.heard)


def verifies(heard: Any, secret: str) -> bool:
    try:
        heard.verified(secret)
    except Exception:
        return False
    return True


def test_an_attempt_that_meets_a_fault_of_ours_is_one_that_failed(
    api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    bad, good = two_hooks(api, receiver.url)
    box = SecretBox([SECRET_KEY])
    change(api, bad, secret=box.seal("whsec_A"))
    deliver.send_due_deliveries(runtime)
    assert delivery(api, good)["state"] == "delivered"
    assert delivery(api, bad)["tried"][0]["error"].startswith("internal_error")


def test_an_old_secret_whose_end_cannot_be_read_signs_no_more(
    api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    bad, _ = two_hooks(api, receiver.url)
    ends = ("no moment", "2099-01-01", None)
    change(api, bad, old_secrets=[{"secret": "s", "until": end} for end in ends])
    deliver.send_due_deliveries(runtime)
    assert delivery(api, bad)["state"] == "delivered"
    assert [hook["old_secret_until"] for hook in api.get("/webhooks").json["items"]] == [None, None]


def test_a_webhook_of_which_nothing_can_be_claimed_rests(
    api: Api, runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = two_hooks(api, receiver.url)
    sealed = subscriptions.sealed_secrets

    def fails_for_one(webhook: Webhook, *rest: Any) -> list[str]:
        return [str(1 / 0)] if webhook.id == bad else sealed(webhook, *rest)

    monkeypatch.setattr(subscriptions, "sealed_secrets", fails_for_one)
    deliver.send_due_deliveries(runtime)
    assert delivery(api, good)["state"] == "delivered"
    with api.services.database.transaction() as session:
        resting = session.get_one(Webhook, bad).retry_at
        assert resting is not None and resting > session.scalars(select(func.now())).one()


def test_what_cannot_be_noted_of_one_webhook_is_noted_of_the_others(
    api: Api, runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = two_hooks(api, receiver.url)
    note = delivery_log.record_attempts

    def fails_for_one(session: Session, webhook_id: int, *rest: Any) -> None:
        if webhook_id == bad:
            raise RuntimeError("cannot be noted")
        note(session, webhook_id, *rest)

    monkeypatch.setattr(delivery_log, "record_attempts", fails_for_one)
    deliver.send_due_deliveries(runtime)
    assert delivery(api, good)["state"] == "delivered"
    assert delivery(api, bad)["state"] == "pending"


def test_a_delivery_that_no_attempt_came_back_from_comes_to_an_end(
    api: Api, runtime: Runtime, receiver: Receiver
) -> None:
    lost, good = two_hooks(api, receiver.url)
    with api.services.database.transaction() as session:
        of_lost = update(Delivery).where(Delivery.webhook_id == lost)
        session.execute(of_lost.values(attempts=MAX_ATTEMPTS))
    deliver.send_due_deliveries(runtime)
    assert delivery(api, lost)["state"] == "failed"
    assert delivery(api, lost)["tried"][0]["error"].startswith("given up")
    assert delivery(api, good)["state"] == "delivered"


def two_schedules(api: Api, **bad: object) -> tuple[int, int]:
    """Both due, the first one malformed, and due for longer."""
    body = {"cron": "* * * * *", "bulk": BULK}
    made = [api.post("/schedules", {"name": n, **body}, profile="acme") for n in ("bad", "good")]
    first, second = (int(reply.json["id"]) for reply in made)
    with api.services.database.transaction() as session:
        due = update(Schedule).values(next_fire_at=func.now() - AGO)
        session.execute(due)
        values = {**bad, "next_fire_at": func.now() - 2 * AGO}
        session.execute(update(Schedule).where(Schedule.id == first).values(values))
    return first, second


def runs(api: Api, schedule_id: int) -> list[dict[str, Any]]:
    return list(api.get(f"/schedules/{schedule_id}/runs").json["items"])


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"timezone": "US/Gone"}, "unknown_timezone"),
        ({"timezone": "../etc"}, "unknown_timezone"),
        ({"cron": "at noon"}, "malformed_cron"),
        ({}, "internal_error"),
    ],
)
def test_a_schedule_that_cannot_be_understood_is_switched_off_alone(
    api: Api, runtime: Runtime, bad: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, good = two_schedules(api, **bad)
    if code == "internal_error":
        record = fire._record_missed
        monkeypatch.setattr(fire, "_record_missed", lambda *a: _fails_for(first, record, *a))
    while not any(run["state"] == "started" for run in runs(api, good)):
        fire.fire_due(runtime)
    [failed] = runs(api, first)
    assert (failed["state"], failed["error"]["code"]) == ("failed", code)
    shown = {each["id"]: each["enabled"] for each in api.get("/schedules").json["items"]}
    assert shown == {str(first): False, str(good): True}


def _fails_for(
    schedule_id: int, then: Any, session: Session, schedule: Schedule, *rest: Any
) -> Any:
    if schedule.id == schedule_id:
        raise RuntimeError("a fault of ours")
    return then(session, schedule, *rest)


def test_a_schedule_of_an_unknown_zone_is_refused_with_words(api: Api) -> None:
    first, _ = two_schedules(api, timezone="US/Gone")
    for reply in (
        api.post(f"/schedules/{first}/run"),
        api.call("PATCH", f"/schedules/{first}", json={"cron": "0 9 * * *"}),
    ):
        assert (reply.status_code, reply.json["code"]) == (422, "unknown_timezone")
    mended = {"timezone": "America/New_York", "enabled": True}
    assert api.call("PATCH", f"/schedules/{first}", json=mended).status_code == 200


def test_after_a_restore_a_bad_schedule_is_passed_over_alone(api: Api) -> None:
    first, good = two_schedules(api, timezone="US/Gone")
    with api.services.database.transaction() as session:
        assert fire.skip_due_fire_times(session) == 2
    assert runs(api, first)[0]["error"]["code"] == "unknown_timezone"
    assert {run["state"] for run in runs(api, good)} == {"missed"}


def test_a_schedule_that_needs_a_row_that_is_held_keeps_no_other_waiting(
    api: Api, runtime: Runtime
) -> None:
    first, good = two_schedules(api)
    api.post("/profiles", {"id": "other", "name": "Other"})
    with api.services.database.transaction() as session:
        session.execute(update(Schedule).where(Schedule.id == good).values(profile_id="other"))
    context = RunContext(settings=runtime.settings, box=SecretBox([SECRET_KEY]))
    with api.services.database.transaction() as holder:
        holder.execute(select(Profile).where(Profile.id == "acme").with_for_update())
        fired = fire.fire_next(runtime.database, context)
        assert fired == fire.Fired(schedule_id=first, is_blocked=True)
        other = fire.fire_next(runtime.database, context, {first})
        assert other is not None and other.schedule_id == good
        holder.rollback()
    fire.fire_due(runtime)
    assert [run["state"] for run in runs(api, first)]


def test_an_answer_that_cannot_be_opened_is_not_done_again(api: Api) -> None:
    key = {"Idempotency-Key": "once"}
    body = {"name": "a key", "scopes": ["publish"]}
    assert api.post("/keys", body, headers=key).status_code == 201
    with api.services.database.transaction() as session:
        session.execute(update(IdempotencyKey).values(body=STRANGER.seal("{}")))
    again = api.post("/keys", body, headers=key)
    assert (again.status_code, again.json["code"]) == (409, "secret_unreadable")


def test_figures_that_cannot_be_read_cost_no_others(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_metrics, "_count_open_posts", lambda _: 1 / 0)
    with api.services.database.transaction() as session:
        names = {figure.name for figure in database_metrics.read_metrics(session)}
    assert "pressroom_posts" not in names
    assert {"pressroom_uploads", "pressroom_webhooks", "pressroom_seen_seconds_ago"} <= names


def test_a_step_of_the_clean_up_that_fails_costs_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> int:
        raise RuntimeError("nothing can be pruned")

    done: list[str] = []

    def noted(what: str) -> int:
        done.append(what)
        return 0

    last: dict[str, Callable[..., int]] = {"the last": lambda *_: noted("pruned")}
    monkeypatch.setattr(prune, "STEPS", dict.fromkeys(prune.STEPS, fails) | last)
    monkeypatch.setattr(clean, "report_missing_files", lambda _: noted("looked"))
    clean.run_cleanup_if_due(world.runtime)
    assert done == ["pruned", "looked"]


def test_a_file_that_cannot_be_removed_keeps_no_other(world: World) -> None:
    make_profile(world, key=KEY)
    media = [
        make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes([number])) for number in range(2)
    ]
    with world.database.transaction() as session:
        session.execute(update(Media).values(removed_at=func.now() - AGO))
        bad = {"storage_key": "../outside", "removed_at": func.now() - 2 * AGO}
        session.execute(update(Media).where(Media.id == media[0]).values(bad))
    clean.remove_unused_files(world.runtime, float("inf"))
    with world.database.transaction() as session:
        left = session.scalars(select(Media).where(Media.storage_key.is_not(None))).all()
        assert [row.id for row in left] == [media[0]]
        removed_at = left[0].removed_at
        assert removed_at and removed_at > session.scalars(select(func.now())).one() - AGO
    assert clean.report_missing_files(world.runtime) == 0


def test_a_post_that_cannot_be_checked_ends_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_profile(world, key=KEY)
    [bad, good] = make_posts(world, "acme", ["bad", "good"], identifier=None)
    resolve = deferred_rules.resolve_post

    def fails_for_one(session: Session, post: Post, *rest: Any) -> Any:
        return 1 / 0 if post.id == bad else resolve(session, post, *rest)

    monkeypatch.setattr(deferred_rules, "resolve_post", fails_for_one)
    deferred_validation.check_waiting_posts(world.runtime, world.account().id)
    assert world.states([bad, good]) == [PostState.FAILED, PostState.PENDING]
    assert world.post(bad).error_code == "internal_error"
    assert world.post(good).integration_identifier == "mastodon"


def test_an_organization_is_met_by_those_of_its_profiles_that_can_ask(world: World) -> None:
    for name in ("held", "good"):
        make_profile(world, name, key=KEY)
        make_posts(world, name, ["a"])
    with world.database.transaction() as session:
        session.execute(update(Account).values(integrations_seen_at=None))
        held = {"reason": "credentials_rejected", "message": "no"}
        session.execute(update(Profile).where(Profile.id == "held").values(key_hash="refused"))
        account_id = world.account("held").id
        session.add(Hold(account_id=account_id, key_hash="refused", **held))
    for _ in range(5):
        assert [row.profile_id for row in asked(world, account_id)] == ["good"]
    with world.database.transaction() as session:
        assert organization_lookup.find_due_accounts(session) == [account_id]
        session.execute(update(Profile).values(key_hash="refused"))
        assert organization_lookup.find_due_accounts(session) == []


def asked(world: World, account_id: int) -> list[Any]:
    with world.database.transaction() as session:
        query = select(Profile.id.label("profile_id")).join(Account, Account.id == account_id)
        return list(session.execute(query.where(*organization_lookup._profiles_to_build())))


def test_schedule_runs_and_lists_show_what_became_of_each(api: Api, runtime: Runtime) -> None:
    first, _ = two_schedules(api, timezone="US/Gone")
    fire.fire_due(runtime)
    with api.services.database.transaction() as session:
        states = session.scalars(select(ScheduleRun.state).order_by(ScheduleRun.id)).all()
    assert states[0] == "failed"
    assert api.get(f"/schedules/{first}").json["timezone"] == "US/Gone"
