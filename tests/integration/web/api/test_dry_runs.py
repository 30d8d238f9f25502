"""Dry runs: they write nothing, whatever is not known yet, and answer as if it were known."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text, update
from sqlalchemy.exc import InternalError

from local.sandbox.process import SandboxProcess
from shared import db
from shared.crypto import SecretBox
from shared.intake import targets, validation
from shared.intake.bulk_rows import bulk_order
from shared.intake.schemas import BulkPublishRequest
from shared.models import Account, Base, Profile
from shared.profiles import profile_settings
from tests.integration.conftest import DEMO_KEY
from tests.servers.api import Api

START = "2031-08-01T07:00:00Z"
BODY = {
    "items": [{"caption": "a"}, {"caption": "b" * 600}, {"caption": "c"}],
    "integration_ids": ["int-mastodon", "int-x"],
    "schedule_date": START,
    "daily_cap_per_integration": 2,
}
AWAY = {"api_url": "http://127.0.0.1:9", "api_key": "a-long-enough-key"}


def plan(api: Api, profile: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    reply = api.post("/postiz/bulk-publish?dry_run=true", body or BODY, profile=profile)
    assert reply.status_code == 200, reply.text
    planned: dict[str, Any] = reply.json["plan"]
    return planned


def fingerprint(api: Api) -> dict[str, list[str]]:
    """Every row of every table, with the transaction that wrote it; the key's use is noted."""
    api.get("/profiles")
    with api.services.database.transaction() as session:
        return {
            table.name: list(
                session.scalars(text(f"SELECT xmin || ' ' || t::text FROM {table.name} t"))
            )
            for table in Base.metadata.sorted_tables
        }


def add_unmet(api: Api, profile_id: str, api_url: str, api_key: str) -> str:
    """A profile with credentials that have led to no account yet."""
    with api.services.database.transaction() as session:
        profile = Profile(id=profile_id, name=profile_id, tts_settings={})
        session.add(profile)
        session.flush()
        postiz = {"postiz": {"api_url": api_url, "api_key": api_key}}
        profile_settings.save_settings(session, profile, postiz, api.services.box)
    return profile_id


def account_of(api: Api, profile_id: str) -> int | None:
    with api.services.database.transaction() as session:
        return session.get_one(Profile, profile_id).account_id


@pytest.fixture
def read_only(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """PostgreSQL refuses whatever any transaction of the application writes."""
    monkeypatch.setattr(api.services.database, "transaction", api.services.database.reading)
    return api


def test_a_reading_transaction_refuses_to_write_and_the_next_one_may(api: Api) -> None:
    with (
        pytest.raises(InternalError, match="read-only transaction"),
        api.services.database.reading() as session,
    ):
        session.execute(update(Account).values(paused=True))
    for _ in range(10):  # whichever connection of the pool it is
        with api.services.database.transaction() as session:
            session.execute(update(Account).values(paused=True))


def test_a_dry_run_needs_no_transaction_that_could_write(read_only: Api) -> None:
    assert plan(read_only, "acme")["posts"] == 4
    real = read_only.post("/postiz/bulk-publish?skip_invalid=true", BODY, profile="acme")
    assert real.status_code == 500


def test_a_time_that_the_clock_skips_or_shows_twice_is_warned_of(api: Api) -> None:
    wishes = ["2031-03-30T02:30:00", "2031-03-30T03:30:00", "2031-10-26T02:30:00"]
    wishes += ["2031-03-30T02:30:00+01:00"]  # an offset of its own leaves no doubt
    items = [{"caption": str(n), "schedule_date": wish} for n, wish in enumerate(wishes)]
    body = {"items": items, "integration_ids": ["int-mastodon"], "timezone": "Europe/Berlin"}
    planned = plan(api, "acme", body)
    told = {
        (said["code"], tuple(said["indexes"]))
        for said in planned["warnings"]
        if said["code"].startswith("time_")
    }
    assert told == {("time_is_skipped", (0,)), ("time_comes_twice", (2,))}


def test_a_dry_run_changes_no_row(api: Api) -> None:
    before = fingerprint(api)
    plan(api, "acme")
    assert fingerprint(api) == before


@pytest.mark.parametrize("away", [False, True], ids=["answers", "away"])
def test_an_account_that_is_not_known_yet_is_not_made_and_the_answer_is_the_same(
    bare_api: Api, postiz: SandboxProcess, away: bool
) -> None:
    credentials = AWAY if away else {"api_url": postiz.api_url, "api_key": DEMO_KEY}
    add_unmet(bare_api, "new", **credentials)
    before = fingerprint(bare_api)
    dry = plan(bare_api, "new")
    assert fingerprint(bare_api) == before
    known = {post["identifier"] for row in dry["rows"] for post in row["posts"]}
    assert known == ({None} if away else {"mastodon", "x"})
    bare_api.get("/postiz/integrations", profile="new")
    assert account_of(bare_api, "new") is not None
    assert plan(bare_api, "new") == dry


def test_a_new_key_of_a_known_organization_meets_what_that_has_accepted(
    api: Api, postiz: SandboxProcess
) -> None:
    body = {**BODY, "items": [{"caption": "a"}, {"caption": "c"}]}
    assert api.post("/postiz/bulk-publish", body, profile="acme").status_code == 202
    postiz.admin.patch_org("demo", add_keys=["a-second-key"])
    add_unmet(api, "twin", postiz.api_url, "a-second-key")
    before = fingerprint(api)
    dry = plan(api, "twin", body)
    assert fingerprint(api) == before
    assert dry["rows"][0]["publish_at"].startswith("2031-08-02")
    api.get("/postiz/integrations", profile="twin")
    assert account_of(api, "twin") == account_of(api, "acme")
    assert plan(api, "twin", body) == dry


def test_channels_that_are_new_in_postiz_are_seen_and_not_remembered(
    api: Api, postiz: SandboxProcess
) -> None:
    postiz.admin.patch_org("demo", integrations={"int-mastodon": {"disabled": True}})
    try:
        before = fingerprint(api)
        [row, *_] = plan(api, "acme")["rows"]
        assert [fault["code"] for fault in row["errors"]] == ["integration_disabled"]
        assert fingerprint(api) == before
    finally:
        postiz.admin.patch_org("demo", integrations={"int-mastodon": {"disabled": False}})


def test_a_postiz_that_has_moved_is_found_and_not_remembered(
    api: Api, postiz: SandboxProcess
) -> None:
    wrong = postiz.api_url.replace("/public", "/api/public")
    with api.services.database.transaction() as session:
        session.execute(update(Account).values(base_url=wrong, integrations_seen_at=None))
    before = fingerprint(api)
    [row, *_] = plan(api, "acme")["rows"]
    assert [post["identifier"] for post in row["posts"]] == ["mastodon", "x"]
    assert fingerprint(api) == before


def test_what_cannot_be_published_is_refused_as_without_a_dry_run(bare_api: Api) -> None:
    bare_api.post("/profiles", {"id": "bare", "name": "B"})
    add_unmet(bare_api, "going", **AWAY)
    add_unmet(bare_api, "sealed", **AWAY)
    with bare_api.services.database.transaction() as session:
        session.execute(text("UPDATE profiles SET deleting_since = now() WHERE id = 'going'"))
        sealed = session.get_one(Profile, "sealed")
        key = SecretBox([Fernet.generate_key().decode()]).seal("a key")
        sealed.tts_settings = {"postiz": {**AWAY, "api_key": key}}
    for profile_id in ("bare", "going", "sealed", "nobody"):
        dry, real = (
            bare_api.post(f"/postiz/bulk-publish{query}", BODY, profile=profile_id)
            for query in ("?dry_run=true", "")
        )
        assert dry.status_code >= 400
        assert (dry.status_code, dry.json["code"]) == (real.status_code, real.json["code"])


def test_a_check_only_reads_also_where_something_was_prepared_before(api: Api) -> None:
    services = api.services
    with services.database.transaction() as session:
        targets.ensure_target(session, "acme", services.settings, services.box)
    with services.database.reading() as session:
        now = db.read_clock(session)
        order = bulk_order(BulkPublishRequest.model_validate(BODY), "acme", now)
        target = targets.recognize_target(session, "acme", None)
        checked = validation.check_order(session, order, target, services.settings)
    assert len(checked.posts) == 4


def test_what_is_accepted_of_a_plan_has_its_times_or_nothing_is(api: Api) -> None:
    body = {"items": [{"caption": "once"}], "integration_ids": ["int-mastodon"]}
    slots = {"slots": ["09:00", "18:30"], "daily_cap_per_integration": 1}
    path = "/postiz/bulk-publish"

    def plan(**more: Any) -> str:
        shown = api.post(f"{path}?dry_run=true", {**body, **more}, profile="acme")
        return str(shown.json["plan"]["times_tag"])

    assert plan() == "", "it is counted from now"
    shown = plan(**slots)
    assert shown == plan(**slots) != plan(schedule_date="2034-05-15T09:00:00Z")
    other = {**body, **slots, "items": [{"caption": "another"}]}
    assert api.post(f"{path}?times_tag={shown}", other, profile="acme").status_code == 202
    refused = api.post(f"{path}?times_tag={shown}", {**body, **slots}, profile="acme")
    assert (refused.status_code, refused.json["code"]) == (409, "plan_outdated")
    assert len(api.posts()) == 1
    newer = f"{path}?times_tag={plan(**slots)}"
    assert api.post(newer, {**body, **slots}, profile="acme").status_code == 202
