"""Addresses in every form, and a key that goes only to the server that it is for."""

from pathlib import Path

import pytest

from cli.failures import SignInFailure, UsageFailure
from cli.sign_in import SignIn, keep_sign_in, load_sign_in, parse_server_url


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PRESSROOM_URL", "PRESSROOM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://a.example/", "https://a.example"),
        ("a.example", "https://a.example"),
        ("localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000/api/v1/", "http://127.0.0.1:8000"),
        ("https://a.example/press/api/v1", "https://a.example/press"),
        ("HTTPS://A.Example:443/Press", "https://a.example/Press"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_an_address_may_have_any_form(given: str, meant: str) -> None:
    assert parse_server_url(given) == meant


@pytest.mark.parametrize("wrong", ["ftp://a.example", "https://", "https://u:p@a", "https://a?b=c"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(UsageFailure):
        parse_server_url(wrong)


def test_a_kept_key_is_private_and_goes_to_its_own_server_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SignInFailure):
        load_sign_in()
    kept = SignIn(url="https://a.example", api_key="secret", profile="acme")
    path = keep_sign_in(kept)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_sign_in() == kept
    assert "secret" not in repr(kept)
    monkeypatch.setenv("PRESSROOM_URL", "https://b.example")
    with pytest.raises(SignInFailure, match="no key for"):
        load_sign_in()
    monkeypatch.setenv("PRESSROOM_API_KEY", "other")
    assert load_sign_in() == SignIn(url="https://b.example", api_key="other")
    path.write_text("{")
    monkeypatch.delenv("PRESSROOM_API_KEY")
    with pytest.raises(SignInFailure, match="cannot be read"):
        load_sign_in()
