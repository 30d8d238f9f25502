"""What was saved is checked at each call: a host that is no longer allowed, a name that is lost."""

import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from shared.accounts import holds
from shared.domain.publishing.states import PostState
from shared.errors import Transient
from shared.models import Account
from shared.postiz import discovery
from shared.postiz.discovery import not_saved
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from worker.runtime import Runtime

NAME = "postiz.example"


@pytest.fixture
def restarted(world: World, tmp_path: Path) -> Callable[..., Runtime]:
    """The worker, started again with other settings."""

    def restart(**settings: str) -> Runtime:
        world.runtime.close()
        url = world.settings.database_url.get_secret_value()
        values = {"PRESSROOM_ALLOW_PRIVATE_URLS": "0", **settings}
        world.runtime = make_runtime(url, tmp_path, **values)
        return world.runtime

    return restart


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Where the name leads from now on; None: nowhere."""
    real, now = socket.getaddrinfo, dict[str, str | None]()

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        ip = now.get(host, host)
        if ip is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(ip, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return lambda ip: now.update({NAME: ip})


def calls(world: World) -> int:
    return len(world.sandbox.ledger(kind="request"))


def test_a_postiz_that_may_not_be_called_any_more_is_not_and_goes_on_once_it_is_allowed(
    world: World, restarted: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "RETRY_AFTER", timedelta(seconds=1))
    make_profile(world, key=KEY)
    posts = make_posts(world, "acme", ["waits"])
    before = calls(world)
    restarted()
    world.until(lambda: world.holds() == ["private_address"])
    assert world.states(posts) == [PostState.PENDING]
    assert calls(world) == before
    port = urlsplit(world.api_url).port
    restarted(PRESSROOM_ALLOWED_HOSTS=f"127.0.0.0/30,localhost:{port}")
    world.until_all(PostState.PUBLISHED, posts)
    assert world.holds() == []


def test_a_running_call_is_refused_even_where_its_publisher_was_built_before(
    world: World, restarted: Callable[..., Runtime], leads_to: Callable[[str | None], None]
) -> None:
    """The name of its Postiz leads to a private address from now on."""
    leads_to("127.0.0.1")
    restarted(PRESSROOM_ALLOWED_HOSTS="127.0.0.1")
    make_profile(world, key=KEY, api_url=named(world))
    publisher = world.runtime.publishers.get("acme", 1)
    publisher.postiz.connected()
    before = calls(world)
    leads_to("127.0.0.2")
    publisher.postiz.close()  # its connection is idle for too long
    with pytest.raises(Transient, match=r"is the private address 127\.0\.0\.2") as caught:
        publisher.postiz.connected()
    assert caught.value.code == "private_address"
    assert calls(world) == before


@pytest.mark.parametrize("path_known", [True, False])
def test_a_name_that_does_not_resolve_for_a_while_holds_nothing(
    world: World,
    restarted: Callable[..., Runtime],
    leads_to: Callable[[str | None], None],
    path_known: bool,
) -> None:
    leads_to("127.0.0.1")
    restarted(PRESSROOM_ALLOWED_HOSTS="127.0.0.1")
    make_profile(world, key=KEY, api_url=named(world))
    posts = make_posts(world, "acme", ["waits"])
    leads_to(None)
    probe = discovery.probe_postiz(named(world), KEY, world.settings, check=not_saved)
    assert (probe.code, probe.detail) == ("unresolved_host", f"{NAME} does not resolve")
    world.runtime.publishers.reset()
    if not path_known:
        with world.database.transaction() as session:
            session.execute(update(Account).values(base_url=None))
    world.until(lambda: world.account().failures >= 2)
    assert (world.states(posts), world.holds()) == ([PostState.PENDING], [])
    leads_to("127.0.0.1")
    world.until_all(PostState.PUBLISHED, posts)


def named(world: World) -> str:
    return world.api_url.replace("127.0.0.1", NAME)
