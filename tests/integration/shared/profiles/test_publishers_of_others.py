"""No process has a publisher with the key of somebody else: of the settings that a PATCH has just
replaced, or of a client whose profile had the same id before."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from local.sandbox.process import SandboxProcess
from shared.crypto import SecretBox
from shared.models import Profile
from shared.profiles import profile_settings
from shared.profiles.publisher_cache import PublisherFactory, Publishers
from tests.factories.profiles import KEY, OTHER, make_profile
from tests.integration.conftest import DEMO_KEY
from tests.servers.api import Api
from tests.timing.patience import wait_until
from tests.workers.runtimes import make_runtime
from tests.workers.world import World


def somebody_waits_for_a_lock(world: World) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with world.database.transaction() as session:
        return bool(session.scalar(text(query)))


def test_a_publisher_that_waited_for_a_patch_has_the_key_that_it_saved(
    world: World, database_url: str, tmp_path: Path
) -> None:
    """The environment's key is looked up for the first time while the client's own is saved."""
    channel = {"id": "int-o", "name": "O", "identifier": "mastodon"}
    world.sandbox.create_org("other", keys=[OTHER], integrations=[channel])
    make_profile(world, "of-the-operator", key=KEY)
    make_profile(world, "of-the-client", key=OTHER)
    runtime = make_runtime(database_url, tmp_path, POSTIZ_API_URL=world.api_url, POSTIZ_API_KEY=KEY)
    box = SecretBox.from_settings(runtime.settings)
    with world.database.transaction() as session:
        session.add(Profile(id="new", name="new", tts_settings={}, environment_allowed=True))
    with ThreadPoolExecutor(1) as threads:
        with world.database.transaction() as session:  # as PATCH does
            profile = profile_settings.lock_profile(session, "new")
            own = {"postiz": {"api_url": world.api_url, "api_key": OTHER}}
            profile_settings.save_settings(session, profile, own, box)
            credentials = profile_settings.credentials_of(profile, runtime.settings, box)
            profile_settings.connect_account(session, profile, credentials)
            built = threads.submit(runtime.publishers.get, "new", 1)
            wait_until(lambda: somebody_waits_for_a_lock(world) or built.done())
        assert built.result().postiz.api_key == OTHER
    assert world.account("new").id == world.account("of-the-client").id
    runtime.close()


def test_a_publisher_of_a_deleted_profile_is_not_one_of_its_namesake(
    api: Api, postiz: SandboxProcess
) -> None:
    """Of two clients of one organization, in a process that heard of nothing."""
    another_key = "sandbox-demo-key-of-another-client"
    postiz.admin.patch_org("demo", add_keys=[another_key])
    ours = api.services
    box = SecretBox.from_settings(ours.settings)
    deaf = Publishers(PublisherFactory(ours.database, ours.settings, box))
    assert deaf.get("acme", 1).postiz.api_key == DEMO_KEY
    assert api.call("DELETE", "/profiles/acme").status_code == 204
    credentials = {"api_url": postiz.api_url, "api_key": another_key}
    body = {"id": "acme", "name": "Another", "tts_settings": {"postiz": credentials}}
    assert api.post("/profiles", body).status_code == 201
    with ours.database.transaction() as session:
        version = profile_settings.version_of(session, "acme")
    assert version is not None
    assert deaf.get("acme", version).postiz.api_key == another_key
    deaf.reset()
