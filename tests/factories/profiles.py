"""Profiles with credentials, as PATCH saves them, and what becomes of their keys."""

from typing import Any

from cryptography.fernet import Fernet

from shared.crypto import SecretBox
from shared.models import Profile
from shared.postiz import discovery
from shared.postiz.discovery import not_saved
from shared.profiles import profile_settings
from tests.workers.world import World

KEY = "key-of-acme"
OTHER = "key-of-other"  #: of another organization
#: Of the organization `acme` in the sandbox.
CHANNELS: list[dict[str, Any]] = [
    {"id": "int-mastodon", "name": "Masto Chan", "identifier": "mastodon"},
    {"id": "int-x", "name": "X Chan", "identifier": "x"},
    {"id": "int-tired", "name": "Tired Chan", "identifier": "mastodon", "refresh_needed": True},
]


def make_profile(
    world: World, profile_id: str = "acme", *, key: str, api_url: str | None = None
) -> str:
    """A profile with these credentials, as PATCH would save them."""
    with world.database.transaction() as session:
        if session.get(Profile, profile_id) is None:
            session.add(Profile(id=profile_id, name=profile_id, tts_settings={}))
    save_key(world, profile_id, key=key, api_url=api_url)
    return profile_id


def save_key(world: World, profile_id: str, *, key: str, api_url: str | None = None) -> None:
    url = api_url or world.api_url
    box = SecretBox.from_settings(world.settings)
    probe = discovery.probe_postiz(url, key, world.settings, check=not_saved)
    with world.database.transaction() as session:
        profile = profile_settings.load_profile(session, profile_id, lock=True)
        postiz = {"postiz": {"api_url": url, "api_key": key}}
        profile_settings.save_settings(session, profile, postiz, box)
        credentials = profile_settings.credentials_of(profile, world.settings, box)
        profile_settings.connect_account(session, profile, credentials, probe)
    world.runtime.publishers.reset(profile_id)


def leave_account(world: World, profile_id: str) -> None:
    """The profile gets the key of another organization, and so another account."""
    channel = {"id": "int-elsewhere", "name": "Elsewhere", "identifier": "mastodon"}
    world.sandbox.create_org("elsewhere", keys=[OTHER], integrations=[channel])
    save_key(world, profile_id, key=OTHER)


def lose_secret_key(world: World, profile_id: str) -> str:
    """The key that sealed the profile's credentials is gone: it is returned."""
    lost = Fernet.generate_key().decode()
    with world.database.transaction() as session:
        profile = profile_settings.load_profile(session, profile_id, lock=True)
        own = profile.tts_settings["postiz"]
        known = SecretBox.from_settings(world.settings).open(own["api_key"])
        sealed = SecretBox([lost]).seal(known)
        profile.tts_settings = {"postiz": {**own, "api_key": sealed}}
        profile_settings.bump_version(profile)
    world.runtime.publishers.reset(profile_id)
    return lost
