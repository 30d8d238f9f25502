"""The adapter against the sandbox: directly, past the environment's proxies, and by CONNECT."""

import io
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.sandbox.process import SandboxProcess, start_sandbox
from local.sandbox.timing import Timing
from shared.errors import (
    CredentialsRejected,
    OutcomeUnknown,
    PostRejected,
    RateLimited,
    Transient,
    WrongBaseUrl,
)
from shared.net.outbound_route import Proxy, Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element
from tests.contract.conftest import AddFault
from tests.servers.certificates import Authority
from tests.servers.connect_proxy import ConnectProxy, TlsFront

KEY = "sandbox-demo-key"
NOW = datetime.now(UTC).replace(microsecond=417000)
NEVER_SENDS = Timing(element_delay=0, send_delay=3600, search_rate=1000, search_burst=1000)
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

Connect = Callable[..., Postiz]


class Upload:
    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)
        self.len = len(content)

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.len -= len(piece)
        return piece


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), timing=NEVER_SENDS) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def fault(sandbox: SandboxProcess) -> Iterator[AddFault]:
    yield sandbox.admin.add_fault
    sandbox.admin.clear_faults()
    sandbox.admin.reset()


@pytest.fixture(params=["directly", "past the environment", "by CONNECT"])
def connect(
    request: pytest.FixtureRequest,
    sandbox: SandboxProcess,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Connect]:
    """Makes an adapter with a key."""
    with TlsFront(sandbox.url, authority) as front, ConnectProxy(credentials="me:open") as proxy:
        url, route = sandbox.url, Route(allow_private=True)
        if request.param == "past the environment":
            for name in VARIABLES:
                value = "/nowhere" if name.endswith("BUNDLE") else "http://127.0.0.1:9"
                monkeypatch.setenv(name, value)
                monkeypatch.setenv(name.lower(), value)
            assert os.environ["https_proxy"]
        if request.param == "by CONNECT":
            ca = authority.file.read_text()
            url = front.url
            route = Route(allow_private=True, proxy=Proxy.parse(proxy.url), ca=ca)

        def make(key: str = KEY, path: str = "/public/v1", seconds: float = 10.0) -> Postiz:
            return Postiz(f"{url}{path}", key, call_seconds=seconds, check=not_saved, route=route)

        yield make
        assert bool(proxy.tunnels) == (request.param == "by CONNECT")


@pytest.fixture
def postiz(connect: Connect, fault: AddFault) -> Postiz:
    return connect()


def elements(*contents: str, **more: Any) -> list[Element]:
    return [
        Element(integration_id="int-mastodon", content=c, settings={}, **more) for c in contents
    ]


def states(postiz: Postiz, at: datetime = NOW) -> list[tuple[str, str]]:
    return sorted((post.content, post.state) for post in postiz.window(at, at))


def test_reads(postiz: Postiz) -> None:
    postiz.connected()
    assert "int-mastodon" in {row.id for row in postiz.integrations()}
    assert postiz.has_status_route()
    assert postiz.notifications() == []
    assert abs(postiz.clock_error) < timedelta(minutes=1)


def test_the_way_of_a_post(postiz: Postiz, files: dict[str, bytes]) -> None:
    image = postiz.upload("a.png", "image/png", Upload(files["small.png"]))
    created = postiz.stage(NOW, elements("one", "two", images=[image]))
    assert created.budget is not None
    assert (created.status, created.budget.limit - created.budget.remaining) == (201, 1)
    assert states(postiz) == [("one", "DRAFT"), ("two", "DRAFT")]
    first, second = created.ids
    assert postiz.release(first) == 200
    later = NOW + timedelta(days=365)
    postiz.move(later, elements("two", postiz_id=second))
    assert states(postiz) == [("one", "QUEUE")]
    assert states(postiz, later) == [("two", "DRAFT")]
    postiz.delete(second)
    assert states(postiz, later) == []


def test_refusals(connect: Connect, postiz: Postiz) -> None:
    with pytest.raises(CredentialsRejected):
        connect(key="no-such-key").integrations()
    with pytest.raises(WrongBaseUrl):
        connect(path="/api/public/v1").connected()
    with pytest.raises(PostRejected):
        postiz.release("no-such-post")
    with pytest.raises(PostRejected, match="large"):
        postiz.stage(NOW, elements("x" * 110_000))


def test_a_lost_reply_is_unclear_for_a_write_and_harmless_for_a_read(
    postiz: Postiz, fault: AddFault
) -> None:
    [draft] = postiz.stage(NOW, elements("one")).ids
    for kind in ("reply_lost_after", "reply_lost_before", "truncated_reply"):
        fault(kind, route="GET /posts", times=1)
        with pytest.raises(Transient):
            postiz.window(NOW, NOW)
        fault(kind, route="PUT /posts/:id/status", times=1)
        with pytest.raises(OutcomeUnknown):
            postiz.release(draft)


@pytest.mark.parametrize("kind", ["hang", "slow"])
def test_the_whole_call_is_bounded(connect: Connect, fault: AddFault, kind: str) -> None:
    fault(kind, route="PUT /posts/:id/status", times=1)
    with pytest.raises(OutcomeUnknown, match="no answer in time"):
        connect(seconds=0.5).release("some-post")


def test_answers_that_are_not_of_postiz_itself(postiz: Postiz, fault: AddFault) -> None:
    fault("html_502", route="GET /posts", times=1)
    with pytest.raises(Transient, match="502"):
        postiz.window(NOW, NOW)
    fault("empty_401", route="PUT /posts/:id/status", times=1)
    with pytest.raises(Transient, match="database"):
        postiz.release("some-post")
    fault("spontaneous_429", route="POST /posts", times=1, retry_after=7)
    with pytest.raises(RateLimited) as caught:
        postiz.stage(NOW, elements("one"))
    assert caught.value.until < datetime.now(UTC) + timedelta(minutes=1)
