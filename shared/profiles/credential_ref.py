"""Whose credentials a call to Postiz is made with, as they were when its work was claimed."""

from dataclasses import dataclass
from typing import Self

from shared.models import Profile


@dataclass(frozen=True, kw_only=True)
class CredentialRef:
    """One profile's credentials, without the secret: what a claim keeps of them."""

    profile_id: str
    version: int  # of the settings: the call is made with these or newer ones
    account_id: int  # the claimed account, to which they have to lead
    key_hash: str | None  # of the key: what is held when Postiz refuses it

    @classmethod
    def from_profile(cls, profile: Profile, account_id: int) -> Self:
        return cls(
            profile_id=profile.id,
            version=profile.settings_version,
            account_id=account_id,
            key_hash=profile.key_hash,
        )
