"""Each fault does what its name says, as often as it was asked to, and only where."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.sandbox.process import SandboxFailed, SandboxProcess, start_sandbox, wait_for
from tests.contract.conftest import AddFault, Caller
from tests.timing.sandbox_timings import steady_timing

PAST = "2026-11-01T10:00:00.417Z"
QUICK = steady_timing(element_delay=0, send_delay=0.1, publish_delay=0.05, search_rate=1000)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), timing=QUICK) as running:
        yield running


@pytest.fixture
def who(sandbox: SandboxProcess) -> Iterator[Caller]:
    yield Caller(sandbox, "sandbox-demo-key")
    sandbox.admin.clear_faults()
    sandbox.admin.reset()


@pytest.fixture
def fault(sandbox: SandboxProcess) -> AddFault:
    return sandbox.admin.add_fault


def posts(who: Caller) -> list[dict[str, Any]]:
    return who.sandbox.admin.posts()


def test_reply_lost_after_the_work(who: Caller, fault: AddFault) -> None:
    fault("reply_lost_after", route="POST /posts", times=1)
    with pytest.raises(requests.ConnectionError):
        who.create(date=PAST)
    assert len(posts(who)) == 1
    (request,) = who.sandbox.admin.ledger(kind="request")
    assert (request["fault"], request["lost_status"]) == ("reply_lost_after", 201)


def test_reply_lost_before_the_work(who: Caller, fault: AddFault) -> None:
    fault("reply_lost_before", route="POST /posts", times=1)
    with pytest.raises(requests.ConnectionError):
        who.create(date=PAST)
    assert posts(who) == []
    assert who.create(date=PAST).status_code == 201


def test_hang_then_do_works_though_the_client_has_gone(who: Caller, fault: AddFault) -> None:
    fault("hang_then_do", route="POST /posts", times=1, seconds=1)
    with pytest.raises(requests.ReadTimeout):
        who.create(date=PAST, timeout=0.2)
    assert posts(who) == []
    wait_for(lambda: len(posts(who)) == 1)


def test_reset_ends_what_is_still_at_work(who: Caller, fault: AddFault) -> None:
    fault("hang_then_do", route="POST /posts", times=1, seconds=1)
    with pytest.raises(requests.ReadTimeout):
        who.create(date=PAST, timeout=0.2)
    who.sandbox.admin.reset()
    time.sleep(1.5)
    assert posts(who) == []


def test_hang_never_answers(who: Caller, fault: AddFault) -> None:
    fault("hang", route="GET /posts", times=1)
    with pytest.raises(requests.ReadTimeout):
        who.call("GET", "/posts", params={"startDate": PAST, "endDate": PAST}, timeout=0.3)


def test_slow_answers_late(who: Caller, fault: AddFault) -> None:
    fault("slow", route="GET /is-connected", times=1, seconds=0.5)
    started = time.monotonic()
    assert who.call("GET", "/is-connected").status_code == 200
    assert time.monotonic() - started >= 0.5


@pytest.mark.parametrize(("kind", "made"), [("error_500_after", 1), ("error_500_before", 0)])
def test_error_500(who: Caller, fault: AddFault, kind: str, made: int) -> None:
    fault(kind, route="POST /posts", times=1)
    answer = who.create(date=PAST)
    assert (answer.status_code, answer.json()["statusCode"]) == (500, 500)
    assert len(posts(who)) == made


def test_html_502(who: Caller, fault: AddFault) -> None:
    fault("html_502", times=1)
    answer = who.call("GET", "/integrations")
    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")


def test_empty_401_is_what_postiz_answers_without_its_database(
    who: Caller, fault: AddFault
) -> None:
    fault("empty_401", times=1)
    answer = who.call("GET", "/is-connected")
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["logout"] == "true"
    assert answer.headers["Transfer-Encoding"] == "chunked"


def test_spontaneous_429(who: Caller, fault: AddFault) -> None:
    fault("spontaneous_429", route="POST /posts", times=1, retry_after=7)
    answer = who.create(date=PAST)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert "X-RateLimit-Limit" not in answer.headers


def test_creation_stops_midway(who: Caller, fault: AddFault) -> None:
    fault("stop_midway", route="POST /posts", times=1, elements=2)
    assert who.create(date=PAST, contents=("a", "b", "c", "d")).status_code == 500
    assert [post["content"] for post in posts(who)] == ["a", "b"]


def test_truncated_reply(who: Caller, fault: AddFault) -> None:
    fault("truncated_reply", route="POST /posts", times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        who.create(date=PAST)
    assert len(posts(who)) == 1


def test_repeated_request_reaches_postiz_twice(who: Caller, fault: AddFault) -> None:
    post = who.draft(date=PAST)
    fault("repeat_request", route="PUT *", times=1)
    assert who.release(post).status_code == 200
    assert len(who.sandbox.admin.ledger(kind="status")) == 2


def test_refused_connections(who: Caller, fault: AddFault) -> None:
    fault("refuse", seconds=1.0)
    address = ("127.0.0.1", int(who.sandbox.url.rpartition(":")[2]))

    def refused() -> bool:
        try:
            socket.create_connection(address, timeout=1).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_for(refused)
    wait_for(lambda: not refused())
    assert who.call("GET", "/is-connected").status_code == 200


def test_publish_error_and_its_notification(who: Caller, fault: AddFault) -> None:
    fault("publish_error", contains="bad", message="The caption is odd")
    good, bad = who.draft(date=PAST, content="good"), who.draft(date=PAST, content="bad")
    who.release(good)
    who.release(bad)
    wait_for(lambda: sorted(post["state"] for post in posts(who)) == ["ERROR", "PUBLISHED"])
    message = "An error occurred while posting on mastodon: The caption is odd"
    assert message in who.notifications()
    assert [send["post"] for send in who.sandbox.admin.sends()] == [good]


def test_publish_error_that_recovers(who: Caller, fault: AddFault) -> None:
    fault("publish_error", recover=1.0)
    post = who.draft(date=PAST)
    who.release(post)
    wait_for(lambda: posts(who)[0]["state"] == "ERROR")
    wait_for(lambda: posts(who)[0]["state"] == "PUBLISHED")


def test_never_publish(who: Caller, fault: AddFault) -> None:
    fault("never_publish")
    who.release(who.draft(date=PAST))
    wait_for(lambda: who.sandbox.admin.ledger(kind="never_published") != [])
    assert posts(who)[0]["state"] == "QUEUE"


def test_fault_of_one_organization_spares_the_other(who: Caller, fault: AddFault) -> None:
    fault("error_500_before", org="other")
    assert who.call("GET", "/integrations").status_code == 200
    stranger = Caller(who.sandbox, "sandbox-other-key")
    assert stranger.call("GET", "/integrations").status_code == 500


def test_fault_ends_after_its_times_or_its_removal(who: Caller, fault: AddFault) -> None:
    fault("error_500_before", times=2)
    statuses = [who.call("GET", "/integrations").status_code for _ in range(3)]
    assert statuses == [500, 500, 200]
    lasting = fault("error_500_before")
    assert [each["id"] for each in who.sandbox.admin.faults()] == [lasting]
    who.sandbox.admin.remove_fault(lasting)
    assert who.call("GET", "/integrations").status_code == 200


def test_unknown_kind_is_explained(who: Caller, fault: AddFault) -> None:
    with pytest.raises(SandboxFailed, match="kind must be one of"):
        fault("explode")


def test_controls_refuse_a_page_from_elsewhere(who: Caller) -> None:
    answer = requests.get(
        f"{who.sandbox.url}/_sandbox/orgs", headers={"Origin": "http://evil.example"}, timeout=120
    )
    assert answer.status_code == 403


PARKED = "2099-01-01T00:00:07.431Z"


def park(who: Caller, post: str, content: str) -> requests.Response:
    return who.create(kind="update", date=PARKED, contents=(content,), value={"id": post})


@pytest.mark.parametrize("answers", [False, True])
def test_backend_killed_inside_of_a_release_leaves_queue_without_a_workflow(
    who: Caller, fault: AddFault, answers: bool
) -> None:
    fault("killed_in_release", times=1, answers=answers)
    post = who.draft(date=PAST)
    if answers:
        assert who.release(post).json() == {"id": post, "state": "QUEUE"}
    else:
        with pytest.raises(requests.ConnectionError):
            who.release(post)
    assert posts(who)[0]["state"] == "QUEUE"
    wait_for(lambda: who.sandbox.admin.stats()["workflows"]["stray_passes_pending"] == 0)
    assert who.sandbox.admin.stats()["workflows"]["running"] == 0
    assert who.sandbox.admin.sends() == []


def test_draft_that_its_network_refuses_to_have_moved(who: Caller, fault: AddFault) -> None:
    fault("refused_by_network", type="update", contains="stuck", message="The board is gone")
    stuck, free = who.draft(date=PAST, content="stuck"), who.draft(date=PAST, content="free")
    for _ in range(2):
        refused = park(who, stuck, "stuck")
        assert (refused.status_code, refused.json()) == (
            400,
            {
                "statusCode": 400,
                "provider": "mastodon",
                "name": "Demo on Mastodon",
                "message": "The board is gone",
            },
        )
    assert park(who, free, "free").status_code == 201
    assert [post["id"] for post in who.window(PARKED)] == [free]
    assert "X-RateLimit-Remaining" in refused.headers, "a refusal is counted"


def test_post_that_cannot_be_deleted(who: Caller, fault: AddFault) -> None:
    stuck, free = who.draft(date=PAST, content="stuck"), who.draft(date=PAST, content="free")
    fault("error_500_before", route="DELETE *", post=stuck)
    assert [who.delete(each).status_code for each in (stuck, stuck, free)] == [500, 500, 200]
    assert [post["id"] for post in who.window(PAST)] == [stuck]
