"""Through a CONNECT proxy; past one that only the environment names; never around the Call."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from local.sandbox.process import SandboxProcess
from shared.domain.publishing.states import PostState
from shared.errors import InvalidRequest, OutcomeUnknown, SettingsChanged, Transient
from shared.http_address import parse_http_address
from shared.net import address_policy
from shared.net.download import read_url
from shared.net.guarded_connections import Call, pool_to, under_way
from shared.net.outbound_route import PROXY_NEEDS_HTTPS, Proxy, Route
from shared.net.transport import Broken, NotSent, Transport
from shared.postiz.client import KeyAuth, Postiz
from shared.postiz.discovery import not_saved
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY, make_profile
from tests.servers.certificates import Authority
from tests.servers.connect_proxy import ConnectProxy, Listener, TlsFront
from tests.servers.receiver import attempted, receiving
from tests.workers.runtimes import make_runtime
from tests.workers.world import World

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with ConnectProxy(credentials="user:open-sesame", names={"postiz.example": "127.0.0.1"}) as one:
        yield one


@pytest.fixture
def front(only_acme: SandboxProcess, authority: Authority) -> Iterator[TlsFront]:
    """The sandbox, with TLS before it."""
    names = ("localhost", "127.0.0.1", "postiz.example")
    with TlsFront(only_acme.url, authority, *names) as front:
        yield front


@pytest.fixture
def route(proxy: ConnectProxy, authority: Authority) -> Route:
    return through(proxy.url, authority)


def through(proxy_url: str, authority: Authority, *, allow_private: bool = True) -> Route:
    ca = authority.file.read_text()
    return Route(allow_private=allow_private, proxy=Proxy.parse(proxy_url), ca=ca)


def postiz_at(url: str, route: Route, **more: Any) -> Postiz:
    return Postiz(f"{url}/public/v1", KEY, **{"check": not_saved, **more}, route=route)


@pytest.fixture
def environment_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ConnectProxy]:
    """What `requests` would use of the environment: a proxy, and a file of passwords."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ConnectProxy() as proxy:
        for name in VARIABLES:
            monkeypatch.setenv(name, proxy.url)
        yield proxy


# nothing around the Call


def test_what_the_environment_says_changes_nothing(
    only_acme: SandboxProcess, environment_proxy: ConnectProxy
) -> None:
    asked: list[str] = []
    direct = Route(allow_private=True)
    postiz = postiz_at(only_acme.url, direct, check=lambda: asked.append("version"))
    postiz.connected()
    assert asked == ["version"]
    assert environment_proxy.requests == []
    [seen] = only_acme.admin.ledger(kind="request")
    assert seen["key"] == KEY


def test_a_lost_reply_stays_unclear_whatever_proxy_the_environment_names(
    only_acme: SandboxProcess, environment_proxy: ConnectProxy
) -> None:
    only_acme.admin.add_fault("reply_lost_after", route="PUT /posts/:id/status", times=1)
    with pytest.raises(OutcomeUnknown):
        postiz_at(only_acme.url, Route(allow_private=True)).release("some-id")
    assert environment_proxy.requests == []


def test_no_byte_leaves_outside_of_a_call_and_none_of_a_second_request(
    only_acme: SandboxProcess,
) -> None:
    address = parse_http_address(only_acme.url)
    with closing(pool_to(address, Route(allow_private=True))) as pool:
        with pytest.raises(RuntimeError, match="outside of a Call"):
            pool.urlopen("GET", "/public/v1/is-connected", retries=False)
        with under_way(Call(total=5, stall=5)):
            pool.urlopen("GET", "/public/v1/is-connected", retries=False)
            with pytest.raises(RuntimeError, match="one request"):
                pool.urlopen("GET", "/public/v1/is-connected", retries=False)
    assert len(only_acme.admin.ledger(kind="request")) == 1


def test_the_adapter_makes_no_connections_of_another_kind() -> None:
    adapter = Transport(KeyAuth("k"), route=Route(allow_private=True))._adapter
    for make in (adapter.proxy_manager_for, adapter.get_connection):
        with pytest.raises(RuntimeError):
            make("http://proxy.example:3128")
    asked = requests.Request("GET", "http://127.0.0.1:9/").prepare()
    proxies = {"http": "http://proxy.example:3128"}
    with pytest.raises(RuntimeError, match="outside of a Call"):
        adapter.send(asked, proxies=proxies)


def test_an_end_that_proves_nothing_may_have_been_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails without a connection of ours that knows better."""
    transport = Transport(KeyAuth("k"), route=Route(allow_private=True))

    def fail(*_: object, **__: object) -> None:
        raise ValueError("of a library")

    monkeypatch.setattr(transport._adapter, "send", fail)
    with pytest.raises(Broken, match="ValueError"):
        transport.request("PUT", "http://127.0.0.1:9/", total=5, stall=5)


# through a proxy


def test_calls_go_through_one_tunnel_and_keep_it(
    front: TlsFront, proxy: ConnectProxy, route: Route
) -> None:
    postiz = postiz_at(front.url, route)
    postiz.connected()
    assert len(postiz.integrations()) == 3
    assert proxy.tunnels == [f"localhost:{front.port}"]


@pytest.mark.parametrize("allow_private", [True, False])
def test_the_tunnel_leads_to_what_was_checked(
    front: TlsFront,
    proxy: ConnectProxy,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    allow_private: bool,
) -> None:
    """To the IP; by its name only where there is nothing to check."""
    monkeypatch.setattr(
        address_policy, "resolve_host", lambda *_: [] if allow_private else ["127.0.0.1"]
    )
    monkeypatch.setattr(address_policy, "is_public", lambda _: True)
    route = through(proxy.url, authority, allow_private=allow_private)
    postiz_at(f"https://postiz.example:{front.port}", route).connected()
    host = "postiz.example" if allow_private else "127.0.0.1"
    assert proxy.tunnels == [f"{host}:{front.port}"]


def test_a_private_target_is_refused_before_the_proxy_hears_of_it(
    front: TlsFront, proxy: ConnectProxy, authority: Authority
) -> None:
    strict = through(proxy.url, authority, allow_private=False)
    with pytest.raises(Transient, match="private address") as caught:
        postiz_at(front.url, strict).connected()
    assert caught.value.code == "private_address"
    with pytest.raises(InvalidRequest, match="private address"):
        list(read_url(front.url, strict))
    assert "private address" in (tried(front.url, strict) or "")
    assert proxy.requests == []


def test_the_last_question_is_asked_when_tunnel_and_tls_stand(
    only_acme: SandboxProcess, front: TlsFront, proxy: ConnectProxy, route: Route
) -> None:
    tunnels: list[int] = []

    def forbid() -> None:
        tunnels.append(len(proxy.tunnels))
        raise SettingsChanged("newer")

    with pytest.raises(SettingsChanged):
        postiz_at(front.url, route).release("some-id", last_check=forbid)
    assert tunnels == [1]
    assert only_acme.admin.ledger(kind="request") == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("refuse", "answered 403"),
        ("unreachable", "answered 502"),
        ("cut", "ended the connection"),
        ("babble", "does not speak HTTP"),
        ("hang", "no answer in time"),
    ],
)
def test_without_a_tunnel_certainly_nothing_was_sent(
    front: TlsFront, proxy: ConnectProxy, route: Route, kind: str, words: str
) -> None:
    proxy.fault(kind, times=2)  # of each address of the host
    transport = Transport(KeyAuth("k"), route=route)
    with pytest.raises(NotSent, match=words):
        transport.request("PUT", front.url, total=1.0, stall=5)


def test_the_time_of_a_call_counts_what_tls_takes_too(proxy: ConnectProxy, route: Route) -> None:
    class Silent(Listener):
        def serve(self, client: object) -> None:
            time.sleep(30)

    with Silent() as silent, pytest.raises(NotSent, match="no answer in time"):
        url = f"https://127.0.0.1:{silent.port}"
        Transport(KeyAuth("k"), route=route).request("PUT", url, total=0.5, stall=20)


def test_a_reply_that_the_proxy_lost_leaves_it_unclear(
    only_acme: SandboxProcess, front: TlsFront, proxy: ConnectProxy, route: Route
) -> None:
    proxy.fault("lose_reply")
    with pytest.raises(OutcomeUnknown):
        postiz_at(front.url, route).release("some-id")
    assert len(only_acme.admin.ledger(kind="request")) == 1


def test_a_proxy_that_is_away_or_wants_another_login_is_told_without_it(
    front: TlsFront, proxy: ConnectProxy, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = through(proxy.url.replace("sesame", "barley"), authority)
    with pytest.raises(Transient, match=r"PRESSROOM_PROXY_URL.*407") as refused:
        postiz_at(front.url, wrong).connected()
    with ConnectProxy() as gone:
        url = gone.url
    with pytest.raises(Transient, match=r"PRESSROOM_PROXY_URL.*refused") as away:
        postiz_at(front.url, through(url, authority)).connected()
    shown = f"{refused.value!r} {away.value!r} {wrong!r} {caplog.text}"
    for secret in ("open-barley", str(wrong.proxy and wrong.proxy.authorization)):
        assert secret not in shown
    assert proxy.tunnels == []


def test_plain_http_is_refused_with_the_name_of_the_setting(
    only_acme: SandboxProcess, proxy: ConnectProxy, route: Route
) -> None:
    with pytest.raises(Transient, match="PRESSROOM_PROXY_URL is set") as caught:
        postiz_at(only_acme.url, route).release("some-id")
    assert caught.value.code == PROXY_NEEDS_HTTPS
    with pytest.raises(Transient, match="PRESSROOM_PROXY_URL is set"):
        list(read_url(only_acme.url, route))
    assert "PRESSROOM_PROXY_URL is set" in (tried(only_acme.url, route) or "")
    assert proxy.requests == []
    assert only_acme.admin.ledger(kind="request") == []


def tried(url: str, route: Route) -> str | None:
    """What came of telling a receiver at `url`: why not, or None."""
    return attempted(url, route).error


def test_webhooks_and_media_take_the_same_way(
    proxy: ConnectProxy, route: Route, authority: Authority
) -> None:
    with receiving() as receiver, TlsFront(receiver.url, authority) as front:
        assert tried(f"{front.url}/hook", route) is None
        assert len(receiver.heard) == 1
        with pytest.raises(Transient, match="answered 501"):  # it knows POST alone
            list(read_url(f"{front.url}/a.png", route))
    assert len(proxy.tunnels) == 2


# the whole way of a post


@pytest.fixture
def proxied_world(
    only_acme: SandboxProcess,
    front: TlsFront,
    proxy: ConnectProxy,
    authority: Authority,
    database_url: str,
    tmp_path: Path,
    short_rests: None,
) -> Iterator[World]:
    more = {"PRESSROOM_PROXY_URL": proxy.url, "PRESSROOM_CA": authority.file.read_text()}
    runtime = make_runtime(database_url, tmp_path, **more)
    yield World(runtime=runtime, sandbox=only_acme.admin, api_url=f"{front.url}/public/v1")
    runtime.close()


def test_a_post_whose_release_loses_its_reply_goes_out_once(
    proxied_world: World, proxy: ConnectProxy
) -> None:
    world = proxied_world
    make_profile(world, key=KEY)
    [post] = make_posts(world, "acme", ["once only"], in_seconds=600)
    world.until_all(PostState.STAGED, [post])
    world.runtime.publishers.reset()  # so that the release opens the next tunnel
    proxy.fault("lose_reply")
    make_due(world, [post])
    world.until_all(PostState.PUBLISHED, [post])
    assert proxy.lost == 1
    assert [send["content"] for send in world.sandbox.sends()] == ["once only"]


def test_posts_wait_while_a_proxy_stands_before_plain_http_and_go_on_without_it(
    world: World, proxy: ConnectProxy, tmp_path: Path
) -> None:
    make_profile(world, key=KEY)
    [post] = make_posts(world, "acme", ["later"])
    direct = world.runtime
    url = direct.settings.database_url.get_secret_value()
    world.runtime = make_runtime(url, tmp_path, PRESSROOM_PROXY_URL=proxy.url)
    world.until(lambda: world.account().failures >= 3)
    assert world.states([post]) == [PostState.PENDING]
    world.runtime.close()
    world.runtime = direct
    world.until_all(PostState.PUBLISHED, [post])
    assert urlsplit(world.api_url).scheme == "http"


def test_a_post_goes_out_once_past_whatever_proxy_the_environment_names(
    world: World, environment_proxy: ConnectProxy
) -> None:
    make_profile(world, key=KEY)
    [post] = make_posts(world, "acme", ["once only"])
    world.sandbox.add_fault("reply_lost_after", route="PUT /posts/:id/status", times=1)
    world.until_all(PostState.PUBLISHED, [post])
    assert [send["content"] for send in world.sandbox.sends()] == ["once only"]
    assert environment_proxy.requests == []
