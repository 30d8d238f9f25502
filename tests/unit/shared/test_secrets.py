"""Secrets stay secret: at rest, in replies, in logs and in what an error shows."""

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from shared.config import SHORTEST_ADMIN_KEY, read_settings
from shared.crypto import SecretBox
from shared.errors import PressroomError
from shared.log import redact_event
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.profiles.profile_settings import Credentials, mask_api_key

KEY = "pz-0123456789abcdef1f3a"


def test_a_sealed_secret_is_opened_with_any_of_the_keys() -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    sealed = SecretBox([old]).seal(KEY)
    assert KEY not in sealed
    assert SecretBox([new, old]).open(sealed) == KEY
    with pytest.raises(PressroomError) as caught:
        SecretBox([new]).open(sealed)
    assert caught.value.code == "secret_unreadable"


def test_without_keys_it_says_how_to_make_one() -> None:
    with pytest.raises(PressroomError, match="PRESSROOM_SECRET_KEYS"):
        SecretBox([])


def test_a_mask_shows_the_end_of_a_long_key_only() -> None:
    assert mask_api_key(KEY) == "••••1f3a"
    assert mask_api_key("short") == "••••"


def test_log_lines_lose_the_values_of_secret_names() -> None:
    line = redact_event(
        None, "info", {"event": "x", "api_key": KEY, "body": {"Authorization": KEY}}
    )
    assert KEY not in str(line)


def test_what_is_printed_of_our_objects_has_no_key() -> None:
    settings = read_settings({"POSTIZ_API_KEY": KEY, "PRESSROOM_SECRET_KEYS": KEY})
    credentials = Credentials(source="profile", api_url="https://p.example", api_key=KEY)
    postiz = Postiz(
        "https://p.example/public/v1", KEY, check=not_saved, route=Route(allow_private=False)
    )
    assert KEY not in f"{settings!r} {credentials!r} {postiz!r}"


@pytest.mark.parametrize("short", ["x", "admin", "a" * (SHORTEST_ADMIN_KEY - 1)])
def test_attack_8_a_short_admin_key_is_refused_and_not_repeated(short: str) -> None:
    with pytest.raises(ValidationError, match=f"at least {SHORTEST_ADMIN_KEY}") as caught:
        read_settings({"PRESSROOM_ADMIN_KEY": short})
    assert f"'{short}'" not in str(caught.value)
    long_enough = "a" * SHORTEST_ADMIN_KEY
    assert read_settings({"PRESSROOM_ADMIN_KEY": long_enough}).admin_key is not None
    assert read_settings({"PRESSROOM_ADMIN_KEY": ""}).admin_key is None
