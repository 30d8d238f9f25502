"""A stored key that none of ours opens stops its own profile, with words, and no other."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select, update

from shared.accounts import holds
from shared.crypto import SecretBox
from shared.domain.publishing.states import PostState
from shared.models import (
    Account,
    Delivery,
    IdempotencyKey,
    Post,
    Profile,
    SettingsHold,
    Webhook,
)
from shared.posts import cancel_retry
from shared.profiles import profile_settings
from tests.factories.drafts import make_stray_draft
from tests.factories.files import Files
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY, lose_secret_key, make_profile, save_key
from tests.integration.conftest import DEMO_KEY
from tests.servers.api import Api
from tests.servers.settings import SECRET_KEY
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from worker.accounts import organization_lookup

UNREADABLE = "secret_unreadable"


@pytest.fixture
def both(world: World) -> World:
    """`acme`, whose key is about to be lost, and `zeta`, with the same key of the same account."""
    make_profile(world, "acme", key=KEY)
    make_profile(world, "zeta", key=KEY)
    return world


def settings_held(world: World) -> SettingsHold:
    with world.database.transaction() as session:
        return session.scalars(select(SettingsHold)).one()


def lose_key(world: World) -> None:
    """Of `acme`; and whatever posts are in, they are due for a look."""
    lose_secret_key(world, "acme")
    world.runtime.publishers.reset()
    with world.database.transaction() as session:
        now = {"track_at": func.now(), "lease_until": func.now()}
        session.execute(update(Post).values(now))


def goes_on_alone(world: World, poisoned: list[int], good: list[int], end: PostState) -> None:
    """The good post reaches its end; the poisoned one is where it was, and has cost nothing."""
    [before] = world.states(poisoned)
    attempts = world.post(poisoned[0]).attempts
    lose_key(world)
    world.until_all(end, good)
    world.until(lambda: world.holds("acme") == [UNREADABLE])
    assert world.states(poisoned) == [before]
    assert world.post(poisoned[0]).attempts == attempts
    assert world.holds("zeta") == []
    assert world.account("zeta").failures == 0


def test_staging_goes_on_for_the_others_and_costs_no_budget(both: World) -> None:
    poisoned = make_posts(both, "acme", ["a"], in_seconds=-5)  # so acme leads the first call
    good = make_posts(both, "zeta", ["z"])
    goes_on_alone(both, poisoned, good, PostState.PUBLISHED)
    rows = both.sandbox.ledger(kind="request")
    counted = sum(row["method"] == "POST" and row["path"].endswith("/posts") for row in rows)
    assert both.account().budget_used == counted == 1


def test_releases_go_on_for_the_others(both: World) -> None:
    poisoned = make_posts(both, "acme", ["a"], in_seconds=600)
    both.until_all(PostState.STAGED, poisoned)
    good = make_posts(both, "zeta", ["z"], in_seconds=600)
    both.until_all(PostState.STAGED, good)
    make_due(both, [*poisoned, *good])
    goes_on_alone(both, poisoned, good, PostState.PUBLISHED)


def test_unclear_releases_of_the_others_are_settled(both: World) -> None:
    """Of workers that are gone, in the middle of each."""
    poisoned, good = (releasing(both, profile) for profile in ("acme", "zeta"))
    goes_on_alone(both, poisoned, good, PostState.PUBLISHED)


def releasing(world: World, profile_id: str) -> list[int]:
    ids = make_posts(world, profile_id, ["x"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    make_due(world, ids)
    world.claim_release()
    return ids


def test_posts_of_the_others_are_followed(both: World) -> None:
    poisoned = make_posts(both, "acme", ["a"], handoff="calendar", in_seconds=3600)
    good = make_posts(both, "zeta", ["z"], handoff="calendar", in_seconds=3600)
    both.until_all(PostState.SCHEDULED, [*poisoned, *good])
    lose_key(both)
    asked_at = both.post(poisoned[0]).track_at
    both.until(lambda: both.post(good[0]).track_at != asked_at)
    both.until(lambda: both.holds("acme") == [UNREADABLE])
    assert both.states(poisoned) == [PostState.SCHEDULED]
    assert both.account("zeta").failures == 0


def test_posts_of_the_others_are_taken_back(both: World) -> None:
    poisoned, good = (
        make_posts(both, profile, ["x"], in_seconds=600) for profile in ("acme", "zeta")
    )
    both.until_all(PostState.STAGED, [*poisoned, *good])
    with both.database.transaction() as session:
        cancel_retry.cancel_posts(session, [*poisoned, *good])
    goes_on_alone(both, poisoned, good, PostState.CANCELLED)


def test_litter_of_the_others_is_deleted(both: World) -> None:
    make_stray_draft(both, "a", "acme")
    make_stray_draft(both, "z", "zeta")
    lose_secret_key(both, "acme")
    both.until(lambda: both.holds("acme") == [UNREADABLE])
    both.until(lambda: left_there(both) == ["a"])


def left_there(world: World) -> list[str]:
    return [post["content"] for post in world.sandbox.posts() if not post["deleted"]]


def test_uploads_of_the_others_go_on(both: World) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(2000)
    poisoned, good = (make_medium(both, profile, picture) for profile in ("acme", "zeta"))
    lose_secret_key(both, "acme")
    both.until(lambda: both.upload_state(good) == "uploaded")
    both.until(lambda: both.holds("acme") == [UNREADABLE])
    assert both.upload_state(poisoned) == "pending"


def test_it_is_told_once_and_shown_with_what_to_do(both: World) -> None:
    secret = SecretBox.from_settings(both.settings).seal("whsec_c2VjcmV0")
    with both.database.transaction() as session:
        session.add(Webhook(url="http://127.0.0.1:1/", events=["account.blocked"], secret=secret))
    make_posts(both, "acme", ["a"])
    lose_secret_key(both, "acme")
    both.until(lambda: both.holds("acme") == [UNREADABLE])
    look_again(both)
    assert settings_held(both).look_at > settings_held(both).since
    with both.database.transaction() as session:
        [told] = session.scalars(select(Delivery.data))
    assert (told["profile_ids"], told["held"]) == (["acme"], UNREADABLE)
    assert "PRESSROOM_SECRET_KEYS" in told["error"]["hint"]


def look_again(world: World) -> None:
    """The time to try again has come."""
    with world.database.transaction() as session:
        session.execute(update(SettingsHold).values(look_at=func.now()))
    organization_lookup.look_up_organizations(world.runtime, world.account().id)


def test_a_process_with_the_key_that_was_missing_frees_it(
    both: World, database_url: str, tmp_path: Path
) -> None:
    posts = make_posts(both, "acme", ["a"])
    lost = lose_secret_key(both, "acme")
    both.until(lambda: both.holds("acme") == [UNREADABLE])
    look_again(both)
    assert both.holds("acme") == [UNREADABLE]
    with both.database.transaction() as session:
        session.execute(update(SettingsHold).values(look_at=func.now()))
    keys = f"{SECRET_KEY},{lost}"
    runtime = make_runtime(database_url, tmp_path, PRESSROOM_SECRET_KEYS=keys)
    started = World(runtime=runtime, sandbox=both.sandbox, api_url=both.api_url)
    started.until_all(PostState.PUBLISHED, posts)
    assert started.holds("acme") == []
    runtime.close()


def test_a_key_that_is_saved_again_frees_it(both: World) -> None:
    posts = make_posts(both, "acme", ["a"])
    lose_secret_key(both, "acme")
    both.until(lambda: both.holds("acme") == [UNREADABLE])
    save_key(both, "acme", key=KEY)
    assert both.holds("acme") == []
    both.until_all(PostState.PUBLISHED, posts)


def test_a_profile_that_the_environment_configures_no_more_is_held_by_itself(
    world: World, database_url: str, tmp_path: Path
) -> None:
    """And goes on once the environment has its Postiz again."""
    named = {"POSTIZ_API_URL": world.api_url, "POSTIZ_API_KEY": KEY}
    first = make_runtime(database_url, tmp_path, **named)
    with world.database.transaction() as session:
        session.add(Profile(id="acme", name="acme", tts_settings={}, environment_allowed=True))
        session.flush()
        box = SecretBox.from_settings(first.settings)
        profile = profile_settings.load_profile(session, "acme")
        profile_settings.ensure_account(session, profile, first.settings, box)
    posts = make_posts(world, "acme", ["a"])
    without = World(runtime=world.runtime, sandbox=world.sandbox, api_url=world.api_url)
    without.until(lambda: without.holds("acme") == ["not_configured"])
    with_it = World(runtime=first, sandbox=world.sandbox, api_url=world.api_url)
    with world.database.transaction() as session:
        session.execute(update(SettingsHold).values(look_at=func.now()))
    with_it.until_all(PostState.PUBLISHED, posts)
    first.close()


# what people see of it


@pytest.fixture
def poisoned(api: Api) -> Api:
    """`acme`'s key cannot be opened, though its channels are known; `beta` has no Postiz."""
    api.post("/profiles", {"id": "beta", "name": "Beta"})
    assert api.get("/postiz/integrations", profile="acme").status_code == 200
    sealed = SecretBox([Fernet.generate_key().decode()]).seal("a key")
    with api.services.database.transaction() as session:
        profile = profile_settings.load_profile(session, "acme", lock=True)
        own = profile.tts_settings["postiz"]
        profile.tts_settings = {"postiz": {**own, "api_key": sealed}}
        profile_settings.bump_version(profile)
    api.services.publishers.reset()
    return api


POST = {"caption": "x", "integration_ids": ["int-mastodon"]}
BULK = {"items": [{"caption": "x"}], "integration_ids": ["int-mastodon"]}
SCHEDULE = {"name": "daily", "cron": "0 9 * * *", "bulk": BULK}


def test_what_can_be_accepted_is_accepted_and_waits(poisoned: Api) -> None:
    assert poisoned.post("/postiz/publish", POST, profile="acme").status_code == 202
    assert poisoned.post("/postiz/bulk-publish", BULK, profile="acme").status_code == 202
    dry = poisoned.post("/postiz/bulk-publish?dry_run=true", BULK, profile="acme")
    assert dry.status_code == 200
    assert poisoned.upload(Files().png(), profile="acme").status_code == 202
    assert poisoned.post("/schedules", SCHEDULE, profile="acme").status_code == 201


def test_why_a_post_waits_is_shown_with_what_to_do(poisoned: Api) -> None:
    poisoned.post("/postiz/publish", POST, profile="acme")
    with poisoned.services.database.transaction() as session:
        version = profile_settings.load_profile(session, "acme").settings_version
        words = {"reason": UNREADABLE, "message": "cannot be opened"}
        holds.hold_settings(session, "acme", version, **words)
    [post] = poisoned.get("/posts").json["items"]
    assert post["error"]["code"] == UNREADABLE
    assert "save the API key again" in post["error"]["hint"]
    shown = {row["id"]: row["holds"] for row in poisoned.get("/profiles").json["items"]}
    assert [hold["reason"] for hold in shown["acme"]] == [UNREADABLE]
    assert shown["beta"] == []
    assert poisoned.get("/accounts").json["items"][0]["held"] == UNREADABLE


def test_what_it_is_asked_about_its_postiz_is_answered_in_words(poisoned: Api) -> None:
    status = poisoned.get("/postiz/status", profile="acme").json
    assert (status["configured"], status["connected"]) == (True, False)
    assert "PRESSROOM_SECRET_KEYS" in status["detail"]
    known = poisoned.get("/postiz/integrations", profile="acme")
    assert (known.status_code, known.headers["X-Stale"]) == (200, "true")
    shown = poisoned.get("/profiles/acme/credentials").json
    assert (shown["source"], shown["api_key"]) == ("profile", "••••")
    assert "PRESSROOM_SECRET_KEYS" in shown["detail"]
    tried = poisoned.post("/profiles/acme/validate").json
    assert (tried["ok"], "PRESSROOM_SECRET_KEYS" in tried["detail"]) == (False, True)
    own = poisoned.post("/profiles/acme/validate", {"api_key": DEMO_KEY}).json
    assert own["ok"], own


def test_where_nothing_is_known_it_is_a_conflict_and_no_failure_of_ours(poisoned: Api) -> None:
    with poisoned.services.database.transaction() as session:
        session.execute(update(Account).values(integrations_seen_at=None))
    refused = poisoned.get("/postiz/integrations", profile="acme")
    assert (refused.status_code, refused.json["code"]) == (409, UNREADABLE)
    assert "save the API key again" in refused.json["detail"]


def test_it_can_still_be_listed_changed_and_deleted(poisoned: Api) -> None:
    assert [row["id"] for row in poisoned.get("/profiles").json["items"]] == ["acme", "beta"]
    read = poisoned.get("/profiles/acme").json
    assert read["tts_settings"]["postiz"]["api_key"] == "••••"
    renamed = poisoned.call("PATCH", "/profiles/acme", json={"name": "Acme & Sons"})
    assert (renamed.status_code, renamed.json["name"]) == (200, "Acme & Sons")
    assert poisoned.post("/profiles/acme/pause").status_code == 200
    credentials = {"api_url": read["tts_settings"]["postiz"]["api_url"], "api_key": DEMO_KEY}
    body = {"tts_settings": {"postiz": credentials}}
    saved = poisoned.call("PATCH", "/profiles/acme", json=body)
    assert (saved.status_code, saved.json["postiz_check"]["ok"]) == (200, True)
    assert poisoned.get("/postiz/status", profile="acme").json["connected"]
    assert poisoned.call("DELETE", "/profiles/acme").status_code == 204


def test_an_answer_that_cannot_be_opened_is_not_given_again(api: Api) -> None:
    """The request was done: it is not done a second time, and says why."""
    headers = {"Idempotency-Key": "once"}
    assert api.post("/postiz/publish", POST, profile="acme", headers=headers).status_code == 202
    sealed = SecretBox([Fernet.generate_key().decode()]).seal("{}")
    with api.services.database.transaction() as session:
        session.execute(update(IdempotencyKey).values(body=sealed))
    again = api.post("/postiz/publish", POST, profile="acme", headers=headers)
    assert (again.status_code, again.json["code"]) == (409, UNREADABLE)
    assert len(api.get("/posts").json["items"]) == 1
