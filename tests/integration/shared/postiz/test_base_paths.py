"""Where Postiz is: found again by all processes when it moved; one server, however it is named."""

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from local.sandbox.process import SandboxProcess
from shared.crypto import SecretBox, hash_secret
from shared.domain.publishing.states import PostState
from shared.errors import SettingsChanged, WrongBaseUrl
from shared.models import Account, Profile, Submission
from shared.profiles.credential_ref import CredentialRef
from shared.profiles.publisher_cache import PublisherFactory, Publishers
from tests.factories.posts import make_posts
from tests.factories.profiles import CHANNELS, KEY, make_profile
from tests.workers.world import World
from worker.accounts import leases, postiz_call

BETA = "key-of-beta"


def version(world: World, profile_id: str = "acme") -> int:
    with world.database.transaction() as session:
        return session.get_one(Profile, profile_id).settings_version


def believe_in(world: World, base_url: str) -> None:
    with world.database.transaction() as session:
        session.execute(update(Account).values(base_url=base_url))


@pytest.fixture
def moved(world: World) -> Callable[[], None]:
    """All processes believe in a path where Postiz is no longer; calling it makes one find out."""
    make_profile(world, key=KEY)
    believe_in(world, world.api_url.replace("/public", "/api/public"))

    def find_out() -> None:
        account = world.account()
        credentials = CredentialRef(
            profile_id="acme", version=version(world), account_id=account.id, key_hash=None
        )
        with pytest.raises(WrongBaseUrl) as caught:
            postiz_call.make_call(
                world.runtime,
                credentials,
                lambda postiz: postiz.integrations(),
            )
        with world.database.transaction() as session:
            leases.record_failure(session, credentials, caught.value)

    return find_out


def test_a_path_that_one_process_found_wrong_is_used_in_none(
    world: World, moved: Callable[[], None]
) -> None:
    box = SecretBox.from_settings(world.settings)
    elsewhere = Publishers(PublisherFactory(world.database, world.settings, box))
    processes = (world.runtime.publishers, elsewhere)
    before = [publishers.get("acme", version(world)) for publishers in processes]
    moved()
    for publishers, old in zip(processes, before, strict=True):
        new = publishers.get("acme", version(world))
        assert new is not old
        assert len(new.postiz.integrations()) == len(CHANNELS)
    assert world.account().base_url == world.api_url


def test_a_call_that_was_about_to_take_the_old_path_is_not_made(
    world: World, moved: Callable[[], None], only_acme: SandboxProcess
) -> None:
    held = world.runtime.publishers.get("acme", version(world))
    moved()
    asked = len(only_acme.admin.ledger(kind="request"))
    with pytest.raises(SettingsChanged):
        held.postiz.integrations()
    assert len(only_acme.admin.ledger(kind="request")) == asked


def test_forms_of_one_address_share_pace_and_settle_time(world: World) -> None:
    """Two organizations of one Postiz, whose profiles name it differently."""
    world.sandbox.create_org("beta", keys=[BETA], integrations=[{**CHANNELS[0], "id": "int-beta"}])
    bare = world.api_url.removesuffix("/public/v1")
    make_profile(world, key=KEY, api_url=bare)
    make_profile(world, "beta", key=BETA, api_url=f"{bare}/api")
    assert world.account("beta").server == world.account().server == bare
    posts = [
        *make_posts(world, "acme", ["a"]),
        *make_posts(world, "beta", ["b"], integration="int-beta"),
    ]
    world.until_all(PostState.PUBLISHED, posts)
    with world.database.transaction() as session:
        assert set(session.scalars(select(Submission.server))) == {bare}


def test_one_organization_is_one_account_however_its_address_is_given(world: World) -> None:
    bare = world.api_url.removesuffix("/public/v1")
    for number, form in enumerate((bare, f"{bare}/api", f"{bare}/api/public/v1")):
        make_profile(world, f"profile-{number}", key=KEY, api_url=form)
    assert len({world.account(f"profile-{number}").id for number in range(3)}) == 1


def test_a_profile_that_was_known_under_another_name_of_its_server_stays_where_it_is(
    world: World,
) -> None:
    """As an update finds it: the hash of its key names a server that is no longer called so."""
    bare = world.api_url.removesuffix("/public/v1")
    make_profile(world, key=KEY, api_url=f"{bare}/api")
    before = world.account().id
    [post] = make_posts(world, "acme", ["a"])
    with world.database.transaction() as session:
        old = hash_secret(f"{bare}/api", KEY)
        session.execute(update(Profile).values(key_hash=old))
        session.execute(update(Account).values(key_hash=old))
    world.runtime.publishers.reset()
    world.until_all(PostState.PUBLISHED, [post])
    assert world.account().id == world.post(post).account_id == before
