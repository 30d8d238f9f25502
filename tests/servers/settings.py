"""The settings of a web or worker process under test."""

from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from shared.config import Settings, read_settings

SECRET_KEY = Fernet.generate_key().decode()

#: All tests come from one address, and keys of many databases count in the same Valkey.
UNLIMITED = {
    "PRESSROOM_FAILED_KEYS_PER_MINUTE": "1000000",
    "PRESSROOM_REQUESTS_PER_MINUTE": "1000000",
    "PRESSROOM_QUOTA_REQUESTS_PER_MINUTE": "1000000",
    "PRESSROOM_UPLOADS_PER_KEY": "6",
}


def make_settings(database_url: str, home: Path, **more: Any) -> Settings:
    """With media in a folder of `home`; `more` by the names of the environment."""
    values = {
        "DATABASE_URL": database_url,
        "PRESSROOM_SECRET_KEYS": SECRET_KEY,
        "PRESSROOM_MEDIA_URL": f"file://{home}/media",
        "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
        **UNLIMITED,
        **more,
    }
    return read_settings({name: str(value) for name, value in values.items()})
