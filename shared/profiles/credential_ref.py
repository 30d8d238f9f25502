"""Identifies the credentials of a call to Postiz, as they were when its work was claimed."""

from dataclasses import dataclass
from typing import Self

from shared.errors import ProfileGone, SettingsChanged
from shared.models import Profile


@dataclass(frozen=True, kw_only=True)
class CredentialRef:
    """A profile's credentials without the secret."""

    profile_id: str
    version: int  # of the settings: the call uses this version or a newer one
    account_id: int  # the claimed account: the credentials must belong to it
    key_hash: str | None  # the key that is held if Postiz refuses it

    @classmethod
    def from_profile(cls, profile: Profile, account_id: int) -> Self:
        return cls(
            profile_id=profile.id,
            version=profile.settings_version,
            account_id=account_id,
            key_hash=profile.key_hash,
        )


def require_current(
    profile_id: str, used: tuple[int, str], current: tuple[int, str | None] | None
) -> None:
    """For the settings' version and the base URL with which a call would be made.

    Raises `SettingsChanged` if others are current, and `ProfileGone` if there are none.
    """
    if current is None:
        raise ProfileGone(f"There is no profile {profile_id!r} any more")
    if current != used:
        raise SettingsChanged(f"the settings of {profile_id!r} have changed")
