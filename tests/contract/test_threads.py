"""Threads: the adapter sends them as the sandbox takes them, and both know the same networks.

What the sandbox does with the later parts is what docs/POSTIZ.md, "Threads", says.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.sandbox.networks import NETWORKS
from local.sandbox.process import Admin, SandboxProcess, start_sandbox, wait_for
from shared.domain.networks.thread_support import takes_threads
from shared.errors import OutcomeUnknown
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element, ElementPart
from tests.contract.conftest import AddFault, Caller
from tests.timing.sandbox_timings import steady_timing

KEY = "sandbox-demo-key"
PAST = datetime(2026, 11, 1, 10, 0, 0, 417000, tzinfo=UTC)
FAR = datetime(2099, 1, 1, 0, 0, 0, 431000, tzinfo=UTC)
QUICK = steady_timing(
    element_delay=0,
    send_delay=0.05,
    network_delay=0.01,
    publish_delay=0.01,
    part_minute=0.2,
    search_rate=1000,
)
PARTS = [
    ElementPart(content="second"),
    ElementPart(content="third", delay_minutes=2),
    ElementPart(content="last"),
]
CLIP = {"image": [{"id": "clip", "path": "https://a.example/clip.mp4"}]}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), timing=QUICK) as running:
        yield running


@pytest.fixture
def fault(sandbox: SandboxProcess) -> Iterator[AddFault]:
    yield sandbox.admin.add_fault
    sandbox.admin.clear_faults()
    sandbox.admin.reset()


@pytest.fixture
def postiz(sandbox: SandboxProcess, fault: AddFault) -> Iterator[Postiz]:
    client = Postiz(
        f"{sandbox.url}/public/v1", KEY, check=not_saved, route=Route(allow_private=True)
    )
    yield client
    client.close()


def thread(content: str = "first", **more: Any) -> Element:
    return Element(integration_id="int-mastodon", content=content, settings={}, parts=PARTS, **more)


def sent(admin: Admin) -> list[tuple[int, str]]:
    """The first part, and those after it in the order in which they were sent."""
    first = [(0, send["content"]) for send in admin.sends()]
    return first + [(part["part"], part["content"]) for part in admin.parts()]


WHOLE = [(0, "first"), (1, "second"), (2, "third"), (3, "last")]


def test_adapter_and_sandbox_know_the_same_networks() -> None:
    ours = {name: takes_threads(name) for name in NETWORKS}
    assert ours == {name: network.comments for name, network in NETWORKS.items()}


def test_all_parts_are_sent_once_in_order_and_after_their_delay(
    postiz: Postiz, sandbox: SandboxProcess
) -> None:
    [draft] = postiz.stage(PAST, [thread()]).ids
    assert [post.content for post in postiz.window(PAST, PAST)] == ["first"]
    postiz.release(draft)
    wait_for(lambda: len(sandbox.admin.parts()) == 3)
    assert sent(sandbox.admin) == WHOLE
    before, after = (part["time"] for part in sandbox.admin.parts()[:2])
    assert after - before >= 2 * QUICK.part_minute
    wait_for(lambda: sandbox.admin.stats()["workflows"]["running"] == 0)
    assert [post.state for post in postiz.window(PAST, PAST)] == ["PUBLISHED"]


def test_a_network_without_comments_gets_the_first_part_alone(sandbox: SandboxProcess) -> None:
    who = Caller(sandbox, KEY)
    parts = [{"content": text, **CLIP} for text in ("first", "second")]
    settings = {"title": "A title", "type": "public"}
    for integration, more in (("int-youtube", settings), ("int-mastodon", {})):
        posts = [{"integration": {"id": integration}, "settings": more, "value": parts}]
        date = PAST.isoformat()
        body = {"type": "draft", "date": date, "shortLink": False, "tags": [], "posts": posts}
        [created] = who.call("POST", "/posts", json=body).json()
        who.release(created["postId"])
    wait_for(lambda: len(sandbox.admin.sends()) == 2)
    wait_for(lambda: sandbox.admin.stats()["workflows"]["running"] == 0)
    assert [part["integration"] for part in sandbox.admin.parts()] == ["int-mastodon"]
    sandbox.admin.reset()


def test_a_thread_that_is_moved_by_its_first_part_is_whole_and_not_doubled(
    postiz: Postiz, sandbox: SandboxProcess
) -> None:
    [draft] = postiz.stage(PAST, [thread()]).ids
    first = Element(integration_id="int-mastodon", content="first", settings={}, postiz_id=draft)
    assert postiz.move(FAR, [first]).ids == [draft]
    assert postiz.window(PAST, PAST) == []
    postiz.move(PAST, [first])
    postiz.release(draft)
    wait_for(lambda: sandbox.admin.stats()["posts"].get("PUBLISHED") == 1)
    wait_for(lambda: sandbox.admin.stats()["workflows"]["running"] == 0)
    assert sent(sandbox.admin) == WHOLE


def test_nothing_of_a_thread_that_was_moved_and_deleted_is_sent(
    postiz: Postiz, sandbox: SandboxProcess
) -> None:
    [draft] = postiz.stage(PAST, [thread()]).ids
    postiz.move(
        FAR,
        [Element(integration_id="int-mastodon", content="first", settings={}, postiz_id=draft)],
    )
    postiz.delete(draft)
    postiz.release(draft)
    wait_for(lambda: sandbox.admin.stats()["workflows"]["running"] == 0)
    assert sent(sandbox.admin) == []
    assert postiz.window(PAST - timedelta(days=1), FAR) == []


def test_a_part_that_the_network_refuses_ends_the_thread(
    postiz: Postiz, sandbox: SandboxProcess, fault: AddFault
) -> None:
    fault("part_error", part=2, message="no links")
    [draft] = postiz.stage(PAST, [thread()]).ids
    postiz.release(draft)
    wait_for(lambda: [post.state for post in postiz.window(PAST, PAST)] == ["ERROR"])
    [post] = postiz.window(PAST, PAST)
    assert post.release_url is not None
    assert sent(sandbox.admin) == WHOLE[:2]
    words = "An error occurred while posting comments on mastodon: no links"
    wait_for(lambda: words in [notice.content for notice in postiz.notifications()])


def test_a_part_with_an_unknown_error_may_be_sent_later_and_the_post_stays_in_error(
    postiz: Postiz, sandbox: SandboxProcess, fault: AddFault
) -> None:
    fault("part_error", times=1, recover=0.05)
    [draft] = postiz.stage(PAST, [thread()]).ids
    postiz.release(draft)
    wait_for(lambda: len(sandbox.admin.parts()) == 3)
    wait_for(lambda: sandbox.admin.stats()["workflows"]["running"] == 0)
    assert sent(sandbox.admin) == WHOLE
    assert [post.state for post in postiz.window(PAST, PAST)] == ["ERROR"]


def test_a_call_that_stops_midway_leaves_a_thread_without_its_last_parts(
    postiz: Postiz, sandbox: SandboxProcess, fault: AddFault
) -> None:
    """Seen from outside it is like a whole one: such a draft must not be used."""
    fault("stop_midway", times=1, elements=0, parts=2)
    with pytest.raises(OutcomeUnknown):
        postiz.stage(PAST, [thread()])
    [draft] = postiz.window(PAST, PAST)
    postiz.release(draft.id)
    wait_for(lambda: len(sandbox.admin.parts()) == 1)
    wait_for(lambda: sandbox.admin.stats()["workflows"]["running"] == 0)
    assert sent(sandbox.admin) == WHOLE[:2]


def test_parts_go_on_after_a_restart_and_none_twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = tmp_path_factory.mktemp("restarted")
    with start_sandbox(data, timing=QUICK) as first:
        client = Postiz(
            f"{first.url}/public/v1", KEY, check=not_saved, route=Route(allow_private=True)
        )
        [draft] = client.stage(PAST, [thread()]).ids
        client.release(draft)
        wait_for(lambda: len(first.admin.parts()) == 1)
        client.close()
    with start_sandbox(data, timing=QUICK) as second:
        wait_for(lambda: len(second.admin.parts()) >= 3)
        wait_for(lambda: second.admin.stats()["workflows"]["running"] == 0)
        assert sent(second.admin) == WHOLE
