"""No process has a publisher with the key of somebody else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from shared.crypto import SecretBox
from shared.models import Profile
from shared.profiles import profile_settings
from tests.factories.profiles import KEY, OTHER, make_profile
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
