"""What becomes of a released post goes, ends and is told of as it was on a real Postiz."""

from collections.abc import Iterator
from datetime import datetime

import pytest
import requests

from local.sandbox.process import SandboxProcess, start_sandbox, wait_for
from tests.contract.conftest import AddFault, Caller
from tests.timing.sandbox_timings import steady_timing

PAST = "2026-11-01T10:00:00.417Z"
QUICK = steady_timing(
    element_delay=0, send_delay=0.1, publish_delay=0.05, retry_delay=0.05, search_rate=1000
)
LONG = 3600
CLIP = {"image": [{"id": "clip", "path": "https://a.example/clip.mp4"}]}


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


def release(who: Caller, **draft: str) -> str:
    post = who.draft(date=PAST, **draft)
    assert who.release(post).status_code == 200
    return post


def state(who: Caller) -> str:
    (post,) = who.sandbox.admin.posts()
    return str(post["state"])


def states(who: Caller, *, by: str) -> dict[str, str]:
    return {post[by]: post["state"] for post in who.sandbox.admin.posts()}


def hide(who: Caller, *, deleted: bool) -> None:
    changes = {"int-mastodon": {"deleted": deleted}}
    who.sandbox.admin.patch_org("demo", integrations=changes)


def wait_for_state(who: Caller, wanted: str) -> None:
    wait_for(lambda: state(who) == wanted)


def wait_for_errors(who: Caller, count: int) -> None:
    wait_for(lambda: len(who.sandbox.admin.ledger(kind="publish_error")) == count)


def wait_until_ended(who: Caller) -> None:
    wait_for(lambda: who.sandbox.admin.stats()["workflows"]["running"] == 0)


def told_at(who: Caller) -> float:
    (notice,) = who.call("GET", "/notifications").json()["notifications"]
    return datetime.fromisoformat(notice["createdAt"]).timestamp()


def failed_at(who: Caller) -> float:
    (failure,) = who.sandbox.admin.ledger(kind="publish_error")
    return float(failure["time"])


def test_release_whose_backend_is_slow_is_queued_before_it_is_answered(who: Caller) -> None:
    who.sandbox.admin.change_timing(queue_to_start=LONG)
    post = who.draft(date=PAST)
    with pytest.raises(requests.ReadTimeout):
        who.release(post, timeout=0.3)
    assert state(who) == "QUEUE"
    assert who.sandbox.admin.stats()["workflows"]["running"] == 0


def test_error_comes_before_its_notification(who: Caller, fault: AddFault) -> None:
    who.sandbox.admin.change_timing(notice_delay=0.4)
    fault("publish_error", message="The caption is odd")
    release(who)
    wait_for(lambda: who.notifications() != [])
    assert told_at(who) - failed_at(who) >= 0.399


def test_notification_can_come_much_later_or_never(who: Caller, fault: AddFault) -> None:
    fault("publish_error", contains="late", notify_after=LONG)
    fault("publish_error", contains="silent", notify_after=None)
    for content in ("late", "silent"):
        release(who, content=content)
    wait_for_errors(who, 2)
    assert who.notifications() == []


def test_notification_of_a_channel_that_is_off_comes_before_the_error(
    who: Caller, fault: AddFault
) -> None:
    integrations = [{"id": "int-off", "identifier": "x", "name": "Off", "disabled": True}]
    who.sandbox.admin.patch_org("demo", add_integrations=integrations)
    settings = {"who_can_reply_post": "everyone"}
    [created] = who.create(date=PAST, integration="int-off", settings=settings).json()
    who.release(created["postId"])
    wait_for_state(who, "ERROR")
    assert who.notifications() == [
        "We couldn't post to x for Off because it's disabled. Please enable it and try again."
    ]
    assert told_at(who) <= failed_at(who) + 0.001, "notifications are told to the millisecond"


def test_unknown_error_is_tried_again_and_told_to_nobody(who: Caller, fault: AddFault) -> None:
    fault("unknown_error", times=2)
    release(who)
    wait_for_state(who, "PUBLISHED")
    assert len(who.sandbox.admin.ledger(kind="publish_error")) == 2
    assert len(who.sandbox.admin.sends()) == 1
    assert [text.split(" at ")[0] for text in who.notifications()] == [
        "Your post has been published on Mastodon"
    ]


def test_unknown_error_is_final_at_the_fifth_attempt(who: Caller, fault: AddFault) -> None:
    fault("unknown_error")
    release(who)
    wait_for_state(who, "ERROR")
    wait_until_ended(who)
    assert len(who.sandbox.admin.ledger(kind="publish_error")) == 5
    assert (state(who), who.notifications()) == ("ERROR", [])


def test_refusal_is_final_at_once(who: Caller, fault: AddFault) -> None:
    fault("publish_error", times=1)
    release(who)
    wait_for_state(who, "ERROR")
    wait_until_ended(who)
    assert (state(who), who.sandbox.admin.sends()) == ("ERROR", [])


def test_lost_token_is_told_of_its_network_alone_and_takes_the_channel_away(
    who: Caller, fault: AddFault
) -> None:
    channel = {"id": "int-tired", "identifier": "mastodon", "name": "Tired"}
    who.sandbox.admin.create_org("tired", keys=["tired-key"], integrations=[channel])
    tired = Caller(who.sandbox, "tired-key")
    fault("token_failure", times=1)
    for number in (1, 2):
        [created] = tired.create(date=PAST, integration="int-tired").json()
        tired.release(created["postId"])
        wait_for_errors(who, number)
    told = tired.notifications()
    who.sandbox.admin.delete_org("tired")
    lost = (
        "Could not refresh your mastodon channel . Please go back to the system and connect it"
        " again http://localhost:4290/launches"
    )
    assert [each["state"] for each in who.sandbox.admin.posts()] == ["ERROR", "ERROR"]
    assert told == [
        "We couldn't post to mastodon for Tired because you need to reconnect it."
        " Please enable it and try again.",
        lost,
        lost,
    ]


@pytest.mark.parametrize("reached", [True, False])
def test_activity_that_hangs_ends_as_an_error_that_may_have_been_sent(
    who: Caller, fault: AddFault, reached: bool
) -> None:
    fault("unconfirmed", seconds=0.2, sent=reached)
    release(who)
    wait_for_state(who, "ERROR")
    assert len(who.sandbox.admin.sends()) == int(reached)
    assert who.notifications() == [
        "Your post was sent to Mastodon, but we couldn't confirm it was published. Please check"
        " your Demo on Mastodon account before posting again to avoid duplicates."
    ]


def test_hanging_activity_takes_half_an_hour_by_itself(who: Caller, fault: AddFault) -> None:
    fault("unconfirmed")
    release(who)
    wait_for(lambda: len(who.sandbox.admin.sends()) == 1)
    assert state(who) == "QUEUE"
    assert who.sandbox.admin.stats()["workflows"]["running"] == 1


@pytest.mark.parametrize(("confirmed", "end"), [(True, "PUBLISHED"), (False, "ERROR")])
def test_pending_post_is_with_its_network_and_still_queued(
    who: Caller, fault: AddFault, confirmed: bool, end: str
) -> None:
    fault("pending", contains="slow", checks=90)
    fault("pending", checks=2, every=0.1, confirmed=confirmed)
    slow, quick = release(who, content="slow"), release(who, content="quick")
    wait_for(lambda: {send["post"] for send in who.sandbox.admin.sends()} == {slow, quick})
    wait_for(lambda: states(who, by="id") == {slow: "QUEUE", quick: end})


def test_video_is_pending_where_the_server_is_slow_with_them(who: Caller) -> None:
    who.sandbox.admin.change_timing(pending_checks=90)
    for value in ({}, CLIP):
        created = who.create(date=PAST, contents=(f"with {len(value)}",), value=value).json()
        who.release(created[0]["postId"])
    wait_for(lambda: len(who.sandbox.admin.sends()) == 2)
    wanted = {"with 0": "PUBLISHED", "with 1": "QUEUE"}
    wait_for(lambda: states(who, by="content") == wanted)


def test_network_can_be_slow_to_take_a_post(who: Caller, fault: AddFault) -> None:
    fault("slow_publishing", seconds=LONG, contains="slow")
    release(who, content="slow")
    quick = release(who, content="quick")
    wait_for(lambda: [send["post"] for send in who.sandbox.admin.sends()] == [quick])


def test_deleted_channel_is_hidden_and_published_to(who: Caller) -> None:
    post = who.draft(date=PAST)
    hide(who, deleted=True)
    assert who.window(PAST) == []
    ids = [each["id"] for each in who.call("GET", "/integrations").json()]
    assert "int-mastodon" not in ids
    who.release(post)
    wait_for_state(who, "PUBLISHED")
    hide(who, deleted=False)
    assert [(each["id"], each["state"]) for each in who.window(PAST)] == [(post, "PUBLISHED")]


def test_network_without_settings_says_so_in_words(who: Caller) -> None:
    told = who.call("GET", "/integration-settings/int-mastodon").json()["output"]
    assert (told["settings"], told["rules"]) == ("No additional settings required", "")


def test_settings_of_an_unknown_post_are_not_found(who: Caller) -> None:
    answer = who.call("PUT", "/posts/nope/settings", json={"settings": {}})
    assert (answer.status_code, answer.json()) == (
        404,
        {"message": "Post not found", "error": "Not Found", "statusCode": 404},
    )


def test_channels_come_in_no_stable_order(who: Caller) -> None:
    orders = {
        tuple(each["id"] for each in who.call("GET", "/integrations").json()) for _ in range(8)
    }
    assert len(orders) > 1


def test_limit_is_that_of_the_compose_file(who: Caller) -> None:
    assert who.create(date=PAST).headers["X-RateLimit-Limit"] == "30"
