"""Media: a stored file with its row."""

import hashlib

from shared.intake import job_creation
from shared.models import Account, Media, Profile
from shared.storage.base import key_of
from tests.workers.world import World


def make_medium(world: World, profile_id: str, content: bytes, *, mime: str = "image/png") -> int:
    """A stored file and the row that asks for its upload; the medium's id."""
    sha256 = hashlib.sha256(content).hexdigest()
    key = key_of(profile_id, sha256)
    with world.runtime.storage.receive() as incoming:
        incoming.write(content)
        incoming.finish()
        incoming.keep(key)
    with world.database.transaction() as session:
        account = session.get_one(Profile, profile_id).account_id
        assert account is not None
        medium = Media(
            profile_id=profile_id,
            sha256=sha256,
            size=len(content),
            mime=mime,
            storage_key=key,
        )
        session.add(medium)
        session.flush()
        job_creation.accept_uploads(
            session,
            profile_id,
            session.get_one(Account, account),
            [job_creation.Upload(media_id=medium.id)],
            kind="upload",
        )
        return medium.id
