"""Releasing, parking, deleting and the races between them go as they went on a real Postiz."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests

from local.sandbox.process import SandboxFailed, SandboxProcess, start_sandbox, wait_for
from local.sandbox.timing import Timing
from tests.contract.conftest import Caller
from tests.timing.sandbox_timings import steady_timing

QUICK = steady_timing(
    element_delay=0,
    queue_to_start=0,
    send_delay=0.2,
    network_delay=0,
    publish_delay=0.05,
    search_rate=10_000,
    search_burst=10_000,
)
PAST = "2026-11-01T10:00:00.417Z"
PARKED = "2099-01-01T00:00:07.431Z"

Start = Callable[[Timing], SandboxProcess]


class Demo(Protocol):
    def __call__(self, timing: Timing | None = None) -> Caller: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a sandbox with the given timing; each test has its own."""
    started: list[SandboxProcess] = []

    def run(timing: Timing) -> SandboxProcess:
        started.append(start_sandbox(tmp_path / str(len(started)), timing=timing, random_seed=1))
        return started[-1]

    yield run
    for sandbox in started:
        sandbox.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("shared"), timing=QUICK) as sandbox:
        yield sandbox


@pytest.fixture
def demo(start: Start, shared: SandboxProcess) -> Demo:
    """A caller of the shared sandbox, emptied; or of its own one, where a timing is given."""
    shared.admin.reset()
    return lambda timing=None: Caller(start(timing) if timing else shared, "sandbox-demo-key")


def row(who: Caller, post: str) -> dict[str, Any]:
    (found,) = [each for each in who.sandbox.admin.posts() if each["id"] == post]
    return found


def sends(who: Caller, post: str) -> list[dict[str, Any]]:
    return [send for send in who.sandbox.admin.sends() if send["post"] == post]


def wait_for_sends(who: Caller, post: str, count: int) -> None:
    wait_for(lambda: len(sends(who, post)) == count)


def wait_for_state(who: Caller, post: str, state: str) -> None:
    wait_for(lambda: row(who, post)["state"] == state)


def settled(who: Caller) -> bool:
    """Nothing runs any more inside the sandbox."""
    workflows: dict[str, int] = who.sandbox.admin.stats()["workflows"]
    return workflows == {"running": 0, "stray_passes_pending": 0}


def test_draft_dated_in_the_past_is_published_at_once_by_its_release(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST, content="fence test & <b>x</b>")
    assert [each["state"] for each in who.window(PAST)] == ["DRAFT"]
    assert who.release(post).json() == {"id": post, "state": "QUEUE"}
    wait_for_state(who, post, "PUBLISHED")
    (shown,) = who.window(PAST)
    assert shown["publishDate"] == PAST
    assert shown["content"] == "fence test &amp; x"
    assert shown["releaseURL"].endswith(f"/_sandbox/published/{post}")
    (send,) = sends(who, post)
    assert (send["integration"], send["org"]) == ("int-mastodon", "demo")
    assert who.notifications() == [
        f"Your post has been published on Mastodon at {shown['releaseURL']}"
    ]


def test_draft_is_never_published_by_itself(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST)
    time.sleep(0.6)
    assert row(who, post)["state"] == "DRAFT"


def test_scheduled_post_waits_for_its_date(demo: Demo) -> None:
    who = demo()
    due = int(time.time()) + 3.5
    date = time.strftime("%Y-%m-%dT%H:%M:%S.500Z", time.gmtime(due))
    (created,) = who.create(kind="schedule", date=date).json()
    wait_for_state(who, created["postId"], "PUBLISHED")
    (send,) = sends(who, created["postId"])
    assert send["time"] >= due


def test_deleted_draft_is_not_published_by_a_release_that_lands_late(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST)
    assert who.delete(post).json() == {"error": True}
    assert who.release(post).json() == {"id": post, "state": "QUEUE"}
    wait_for_state(who, post, "ERROR")
    assert row(who, post)["error"] == "No Post"
    assert sends(who, post) == []
    assert who.window(PAST) == []


def test_parked_draft_publishes_nothing_when_a_release_lands_late(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST)
    parked = who.create(kind="update", date=PARKED, value={"id": post})
    assert parked.json() == [{"postId": post, "integration": "int-mastodon"}]
    assert who.window(PAST) == []
    assert [(each["id"], each["state"]) for each in who.window(PARKED)] == [(post, "DRAFT")]
    assert who.release(post).json()["state"] == "QUEUE"
    time.sleep(0.6)
    (shown,) = who.window(PARKED)
    assert (shown["state"], shown["publishDate"]) == ("QUEUE", PARKED)
    assert who.delete(post).json() == {"error": True}
    assert who.window(PARKED) == []
    assert sends(who, post) == []


def test_parking_a_deleted_post_leaves_it_deleted(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST)
    who.delete(post)
    assert who.create(kind="update", date=PARKED, value={"id": post}).status_code == 201
    assert who.window(PARKED) == []
    assert row(who, post)["deleted"]


def test_parking_an_unknown_id_creates_a_queued_post(demo: Demo) -> None:
    who = demo()
    (created,) = who.create(kind="update", date=PARKED, value={"id": "nobody"}).json()
    assert created["postId"] != "nobody"
    assert [each["state"] for each in who.window(PARKED)] == ["QUEUE"]
    assert settled(who)


def test_draft_with_a_known_id_changes_that_post(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST, content="before")
    (changed,) = who.create(date=PARKED, contents=("after",), value={"id": post}).json()
    assert changed["postId"] == post
    assert [each["content"] for each in who.window(PARKED)] == ["after"]


def test_schedule_over_a_published_id_is_refused(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST)
    who.release(post)
    wait_for_state(who, post, "PUBLISHED")
    answer = who.create(kind="schedule", date=PAST, value={"id": post})
    assert answer.status_code == 400


def test_released_again_after_publishing_it_publishes_again(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST)
    for expected in (1, 2):
        who.release(post)
        wait_for_sends(who, post, expected)
        wait_for_state(who, post, "PUBLISHED")


def test_released_again_while_being_sent_it_publishes_twice(demo: Demo) -> None:
    who = demo(steady_timing(queue_to_start=0, send_delay=0, network_delay=5, publish_delay=0.1))
    post = who.draft(date=PAST)
    who.release(post)
    time.sleep(1)  # it is on its way to the network now
    who.release(post)
    wait_for_sends(who, post, 2)


def test_two_releases_at_once_publish_once(demo: Demo) -> None:
    who = demo(steady_timing(send_delay=4, publish_delay=0.1))
    post = who.draft(date=PAST)
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(who.release, [post, post]))
    assert [answer.status_code for answer in answers] == [200, 200]
    wait_for_state(who, post, "PUBLISHED")
    assert len(sends(who, post)) == 1


def test_deletion_before_the_last_read_stops_a_release(demo: Demo) -> None:
    who = demo(steady_timing(send_delay=4, publish_delay=0.1))
    post = who.draft(date=PAST)
    who.release(post)
    who.delete(post)
    wait_for(lambda: settled(who))
    time.sleep(4.5)
    assert sends(who, post) == []
    assert row(who, post)["state"] == "QUEUE"


def test_deletion_after_the_last_read_stops_nothing(demo: Demo) -> None:
    who = demo(steady_timing(queue_to_start=0, send_delay=0, network_delay=5, publish_delay=0.1))
    post = who.draft(date=PAST)
    who.release(post)
    time.sleep(1)  # it is on its way to the network now
    assert who.delete(post).json() == {"error": True}
    wait_for_sends(who, post, 1)
    assert who.window(PAST) == []
    assert row(who, post)["deleted"]


def test_release_taken_back_to_draft_is_not_published(demo: Demo) -> None:
    who = demo(steady_timing(send_delay=4))
    post = who.draft(date=PAST)
    who.release(post)
    back = who.call("PUT", f"/posts/{post}/status", json={"status": "draft"})
    assert back.json() == {"id": post, "state": "DRAFT"}
    wait_for(lambda: settled(who))
    assert sends(who, post) == []


def test_posts_released_too_early_stay_queued_for_ever(demo: Demo) -> None:
    who = demo(
        steady_timing(
            element_delay=0,
            queue_to_start=0,
            send_delay=2,
            publish_delay=0.1,
            search_rate=20,
            search_burst=5,
            search_retry_first=0.3,
        )
    )
    created = who.create(date=PAST, contents=[f"early {number}" for number in range(40)]).json()
    ids = [each["postId"] for each in created]
    with ThreadPoolExecutor(10) as pool:
        assert {answer.status_code for answer in pool.map(who.release, ids)} == {200}
    wait_for(lambda: settled(who))
    states = [each["state"] for each in who.window(PAST)]
    stuck = states.count("QUEUE")
    assert 0 < stuck < 40
    assert states.count("PUBLISHED") == 40 - stuck
    assert len(who.sandbox.admin.sends()) >= 40 - stuck
    killed = who.sandbox.admin.ledger(kind="workflow_terminated")
    assert {each["why"] for each in killed} == {"stray pass"}


def test_posts_released_after_settling_are_all_published(demo: Demo) -> None:
    who = demo(
        steady_timing(send_delay=0.2, publish_delay=0.1, search_rate=50, search_retry_first=0.1)
    )
    created = who.create(date=PAST, contents=[f"calm {number}" for number in range(25)]).json()
    wait_for(lambda: settled(who))
    for each in created:
        who.release(each["postId"])
    wait_for(lambda: len(who.sandbox.admin.sends()) == 25)
    wait_for(lambda: {each["state"] for each in who.window(PAST)} == {"PUBLISHED"})


def test_sweep_for_missing_posts_rescues_and_repeats(demo: Demo) -> None:
    who = demo(steady_timing(send_delay=0.1, publish_delay=0.1, missing_sweep_every=0.5))
    (created,) = who.create(kind="update", date=recent(), value={"id": "nobody"}).json()
    wait_for_state(who, created["postId"], "PUBLISHED")
    assert len(sends(who, created["postId"])) == 1


def recent() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(time.time() - 60))


def test_reply_lists_the_ids_in_order_and_the_window_in_none(demo: Demo) -> None:
    who = demo()
    contents = [f"number {number}" for number in range(30)]
    created = who.create(date=PAST, contents=contents).json()
    by_id = {each["id"]: each["content"] for each in who.window(PAST)}
    assert [by_id[each["postId"]] for each in created] == contents
    orders = {tuple(each["id"] for each in who.window(PAST)) for _ in range(3)}
    assert len(orders) > 1


def test_rules_of_the_network_are_met_only_when_a_draft_is_released(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST, content="long " * 200)
    who.release(post)
    wait_for_state(who, post, "ERROR")
    assert who.notifications() == [
        "An error occurred while posting on mastodon: post is too long, please fix it"
    ]


def test_channel_that_needs_reconnecting_fails_in_postiz_words(demo: Demo) -> None:
    who = demo(QUICK)
    who.sandbox.admin.patch_org("demo", integrations={"int-mastodon": {"refresh_needed": True}})
    post = who.draft(date=PAST)
    who.release(post)
    wait_for_state(who, post, "ERROR")
    assert who.notifications() == [
        "We couldn't post to mastodon for Demo on Mastodon because you need to reconnect it."
        " Please enable it and try again."
    ]


def test_other_organization_sees_and_touches_nothing(demo: Demo) -> None:
    who = demo()
    post = who.draft(date=PAST)
    stranger = Caller(who.sandbox, "sandbox-other-key")
    assert stranger.window(PAST) == []
    assert stranger.release(post).status_code == 400
    assert stranger.delete(post).status_code == 500
    assert row(who, post)["state"] == "DRAFT"


def test_revoked_key_is_refused_and_a_new_one_works(demo: Demo) -> None:
    who = demo(QUICK)
    who.sandbox.admin.patch_org(
        "demo", revoke_keys=["sandbox-demo-key"], add_keys=[{"key": "fresh", "label": "second"}]
    )
    assert who.call("GET", "/is-connected").json() == {"msg": "Invalid API key"}
    assert Caller(who.sandbox, "fresh").call("GET", "/is-connected").json() == {"connected": True}
    labels = [each.get("key_label") for each in who.sandbox.admin.ledger(kind="request")]
    assert labels == ["demo-1", "second"]


def test_organizations_come_and_go(demo: Demo) -> None:
    who = demo(QUICK)
    mastodon = {"id": "int-third", "identifier": "mastodon", "name": "Third on Mastodon"}
    who.sandbox.admin.create_org("third", keys=["third-key"], limit=5, integrations=[mastodon])
    third = Caller(who.sandbox, "third-key")
    assert [each["id"] for each in third.call("GET", "/integrations").json()] == ["int-third"]
    with pytest.raises(SandboxFailed, match="exists already"):
        who.sandbox.admin.create_org("third", keys=[])
    with pytest.raises(SandboxFailed, match="belongs to third"):
        who.sandbox.admin.patch_org("demo", add_integrations=[mastodon])
    who.sandbox.admin.delete_org("third")
    assert third.call("GET", "/integrations").status_code == 401


def test_budget_trips_blocks_and_counts_what_was_sent_into_the_block(demo: Demo) -> None:
    who = demo(QUICK)
    who.sandbox.admin.patch_org("demo", limit=2, window_seconds=100)
    statuses = [who.create(date=PAST).status_code for _ in range(4)]
    assert statuses == [201, 201, 429, 429]
    (stats,) = [org for org in who.sandbox.admin.stats()["orgs"] if org["id"] == "demo"]
    assert (stats["trips"], stats["counted_calls"], stats["refused_calls"]) == (1, 2, 2)
    assert 90 < stats["blocked_for"] <= 100


def test_image_layout_hides_the_api_behind_a_login_page(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, layout="image") as sandbox:
        who = Caller(sandbox, "sandbox-demo-key")
        assert sandbox.api_url.endswith("/api/public/v1")
        assert who.call("GET", "/is-connected").json() == {"connected": True}
        assert who.call("GET", "/nope").json()["message"] == "Cannot GET /public/v1/nope"
        address = f"{sandbox.url}/public/v1/is-connected"
        front = requests.get(address, allow_redirects=False, timeout=120)
        assert (front.status_code, front.headers["Location"]) == (307, "/auth/login")
        page = requests.get(address, timeout=120)
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")


def test_hundreds_of_connections_at_once(demo: Demo) -> None:
    who = demo()
    ready = threading.Barrier(200)

    def ask(_: int) -> int:
        ready.wait()
        return who.call("GET", "/integrations").status_code

    with ThreadPoolExecutor(200) as pool:
        assert set(pool.map(ask, range(200))) == {200}
