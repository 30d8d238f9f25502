"""The proxy and the TLS front that tests put before the sandbox do what they say."""

from collections.abc import Iterator

import pytest
import requests

from local.sandbox.process import SandboxProcess, start_sandbox
from tests.servers.certificates import Authority
from tests.servers.connect_proxy import ConnectProxy, TlsFront

KEY = {"Authorization": "sandbox-demo-key"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def front(sandbox: SandboxProcess, authority: Authority) -> Iterator[TlsFront]:
    with TlsFront(sandbox.url, authority) as front:
        yield front
    sandbox.admin.reset()


def create(front: TlsFront, proxy: ConnectProxy, authority: Authority) -> requests.Response:
    value = [{"content": "hello", "image": []}]
    post = {"integration": {"id": "int-mastodon"}, "settings": {}, "value": value}
    body = {"type": "draft", "date": "2026-11-01T10:00:00.417Z", "shortLink": False, "tags": []}
    return requests.post(
        f"{front.url}/public/v1/posts",
        json={**body, "posts": [post]},
        headers=KEY,
        proxies={"https": proxy.url},
        verify=str(authority.file),
        timeout=120,
    )


@pytest.mark.parametrize("credentials", [None, "user:pass-word"])
def test_a_request_goes_through_both(
    sandbox: SandboxProcess, front: TlsFront, authority: Authority, credentials: str | None
) -> None:
    with ConnectProxy(credentials=credentials) as proxy:
        assert create(front, proxy, authority).status_code == 201
    assert proxy.tunnels == [f"localhost:{front.port}"]
    assert len(sandbox.admin.posts()) == 1


def test_a_lost_reply_is_of_a_request_that_was_done(
    sandbox: SandboxProcess, front: TlsFront, authority: Authority
) -> None:
    with ConnectProxy() as proxy:
        proxy.fault("lose_reply")
        with pytest.raises(requests.ConnectionError):
            create(front, proxy, authority)
    assert proxy.lost == 1
    assert len(sandbox.admin.posts()) == 1


@pytest.mark.parametrize("kind", ["refuse", "unreachable", "cut", "babble"])
def test_a_tunnel_that_does_not_open_carries_nothing(
    sandbox: SandboxProcess, front: TlsFront, authority: Authority, kind: str
) -> None:
    with ConnectProxy() as proxy:
        proxy.fault(kind)
        with pytest.raises(requests.exceptions.RequestException):
            create(front, proxy, authority)
        assert create(front, proxy, authority).status_code == 201
    assert len(sandbox.admin.posts()) == 1
