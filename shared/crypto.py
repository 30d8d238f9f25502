"""Secrets at rest: sealed with the newest of our keys, opened with any of them."""

import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.config import Settings
from shared.errors import PressroomError, SecretUnreadable


class SecretBox:
    """Seals and opens short texts. `keys`: Fernet keys, the newest first."""

    def __init__(self, keys: list[str]) -> None:
        if not keys:
            raise PressroomError(
                "PRESSROOM_SECRET_KEYS is empty: credentials cannot be encrypted. Make a key with "
                'python -c "from cryptography.fernet import Fernet; '
                'print(Fernet.generate_key().decode())"',
                code="no_secret_keys",
            )
        self._newest = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def from_settings(cls, settings: Settings) -> "SecretBox":
        return cls([key.get_secret_value() for key in settings.secret_keys])

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, token: str, *, seconds: int | None = None) -> str:
        """Raises `SecretUnreadable` if none of the keys has sealed it, or not in these seconds."""
        try:
            return self._fernet.decrypt(token.encode(), ttl=seconds).decode()
        except InvalidToken as error:
            raise SecretUnreadable(
                "A stored secret cannot be opened with any of PRESSROOM_SECRET_KEYS",
                hint="Put the key that sealed it back into PRESSROOM_SECRET_KEYS, at the end.",
            ) from error

    def reseal(self, token: str) -> str | None:
        """The same secret, sealed with the newest key; None if it already is.

        Raises `SecretUnreadable` if none of the keys has sealed it.
        """
        try:
            self._newest.decrypt(token.encode())
        except InvalidToken:
            return self.seal(self.open(token))
        return None


def hash_secret(*parts: str) -> str:
    """A hash that identifies a key without storing it."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
