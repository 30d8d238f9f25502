"""Drafts in Postiz that no post has."""

from datetime import UTC, datetime

from sqlalchemy import func

from shared.crypto import SecretBox
from shared.domain.publishing.fingerprint import compute_fingerprint
from shared.models import Account, Profile, Submission
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element
from shared.profiles import profile_settings
from tests.workers.world import World
from worker.staging.submissions import free_marker


def make_stray_draft(world: World, content: str = "stray", profile_id: str = "acme") -> datetime:
    """What a call of unknown end left in Postiz, which is litter; its date there."""
    box = SecretBox.from_settings(world.settings)
    second = datetime.now(UTC).replace(microsecond=0)
    with world.database.transaction() as session:
        profile = session.get_one(Profile, profile_id)
        account = session.get_one(Account, profile.account_id)
        call = Submission(
            account_id=account.id,
            profile_id=profile_id,
            server=account.server,
            marker_at=free_marker(session, account.id, second),
            elements=1,
            state="abandoned",
            sent=[compute_fingerprint("int-mastodon", content)],
            litter_at=func.now(),
        )
        session.add(call)
        session.flush()
    key = profile_settings.require_credentials(profile, world.settings, box)
    assert account.base_url is not None
    route = Route.from_settings(world.settings)
    element = Element(integration_id="int-mastodon", content=content, settings={})
    postiz = Postiz(base_url=account.base_url, api_key=key.api_key, check=not_saved, route=route)
    postiz.stage(call.marker_at, [element])
    return call.marker_at
