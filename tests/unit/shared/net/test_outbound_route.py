"""The settings of the way out: what they may be, and that they are shown to nobody."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.config import read_settings
from shared.log import redact_event
from shared.net.outbound_route import Proxy, Route
from tests.servers.certificates import Authority

NO_PROXIES = [
    "proxy.example:3128",
    "https://me:open-sesame@proxy.example",
    "socks5://me:open-sesame@proxy.example",
    "http://me:open-sesame@",
    "http://me:open-sesame@proxy.example:99999",
    "http://me:open-sesame@proxy.example/path",
    "http://me:open-sesame@proxy example",
    "http://me:open-sesame@proxy.example?x",
    "me:open-sesame@proxy.example",
]


@pytest.mark.parametrize("url", NO_PROXIES)
def test_what_is_no_proxy_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValidationError, match="PRESSROOM_PROXY_URL") as caught:
        read_settings({"PRESSROOM_PROXY_URL": url})
    assert "sesame" not in f"{caught.value}{caught.value!r}"


def test_the_login_of_a_proxy_is_for_its_header_alone() -> None:
    settings = read_settings({"PRESSROOM_PROXY_URL": "http://me:p%40ss%3Aword@proxy.example:3128"})
    route = Route.from_settings(settings)
    assert route.proxy == Proxy(
        host="proxy.example", port=3128, authorization="Basic bWU6cEBzczp3b3Jk"
    )
    for secret in ("p%40ss%3Aword", "p@ss:word", "bWU6cEBzczp3b3Jk"):
        assert secret not in f"{settings!r} {route!r}"
        assert secret not in str(redact_event(None, "info", {"event": f"it was {secret} there"}))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://proxy.example", ("proxy.example", 80)),
        ("http://proxy.example:3128/", ("proxy.example", 3128)),
        ("http://[::1]:3128", ("::1", 3128)),
    ],
)
def test_a_proxy_without_a_login(url: str, place: tuple[str, int]) -> None:
    proxy = Route.from_settings(read_settings({"PRESSROOM_PROXY_URL": url})).proxy
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.authorization) == (*place, None)


def test_settings_that_are_empty_are_none_at_all() -> None:
    read = read_settings({"PRESSROOM_PROXY_URL": "", "PRESSROOM_CA": ""})
    assert Route.from_settings(read) == Route(allow_private=False)


def test_allowed_hosts_are_a_list_of_names_addresses_and_networks() -> None:
    read = read_settings({"PRESSROOM_ALLOWED_HOSTS": " postiz:5000, 10.0.0.0/8 ,,[::1]:80"})
    route = Route.from_settings(read)
    assert not route.allow_private
    assert [str(entry.host) for entry in route.allowed] == ["postiz", "10.0.0.0/8", "::1/128"]
    assert [entry.port for entry in route.allowed] == [5000, None, 80]
    assert Route.from_settings(read_settings({"PRESSROOM_ALLOWED_HOSTS": ""})) == Route()


def test_an_allowed_host_that_is_none_is_named_at_the_start() -> None:
    with pytest.raises(ValidationError, match=r"PRESSROOM_ALLOWED_HOSTS(.|\n)*'10.0.0.5/8' must"):
        read_settings({"PRESSROOM_ALLOWED_HOSTS": "postiz,10.0.0.5/8"})


def test_certificates_are_trusted_besides_the_public_ones(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    file = tmp_path / "bundle.pem"
    file.write_text(f"# of the Firma Müller\n{authority.file.read_text()}\n# the end\n")
    context = Route.from_settings(read_settings({"PRESSROOM_CA_FILE": str(file)})).tls_context()
    public = Route(allow_private=False).tls_context()
    assert context.cert_store_stats()["x509_ca"] == public.cert_store_stats()["x509_ca"] + 1


@pytest.mark.parametrize("text", ["no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_holds_no_certificate_is_refused(text: str) -> None:
    for wrong in (text, text + "-----END CERTIFICATE-----"):
        with pytest.raises(ValidationError, match="PRESSROOM_CA"):
            read_settings({"PRESSROOM_CA": wrong})


def test_a_default_postiz_must_have_an_address_and_a_key_that_fits_into_a_header() -> None:
    for name, value in (("POSTIZ_API_URL", "https://not a url"), ("POSTIZ_API_KEY", "a\nb")):
        with pytest.raises(ValidationError, match=name):
            read_settings({name: value})
    assert read_settings({"POSTIZ_API_URL": "postiz.example"}).postiz_api_url == "postiz.example"
