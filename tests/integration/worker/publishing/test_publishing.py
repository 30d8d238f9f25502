"""From a pending post to a published one: the worker's steps against the sandbox Postiz."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from shared.domain.publishing.staging_attempts import UNCLEAR
from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Post, Submission
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY, make_profile, save_key
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.world import World
from worker import sweep
from worker.staging import draft_adoption, submissions

X = {"who_can_reply_post": "everyone"}


def sent_contents(world: World) -> list[str]:
    return sorted(send["content"] for send in world.sandbox.sends())


def counted_calls(world: World) -> int:
    return sum(
        1
        for row in world.sandbox.ledger(kind="request")
        if row["method"] == "POST" and row["path"].endswith("/posts")
    )


def test_a_post_is_staged_released_and_followed_until_it_is_published(world: World) -> None:
    make_profile(world, key=KEY)
    [post_id] = make_posts(world, "acme", ["hello"])
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent_contents(world) == ["hello"]
    assert world.post(post_id).release_url
    assert world.timeline(post_id) == ["staging", "staged", "releasing", "scheduled", "published"]


def test_many_posts_share_one_counted_call_and_each_is_sent_once(world: World) -> None:
    make_profile(world, key=KEY)
    contents = [f"clip {n}" for n in range(40)]
    ids = make_posts(world, "acme", contents)
    world.until_all(PostState.PUBLISHED, ids)
    assert sent_contents(world) == sorted(contents)
    assert counted_calls(world) == 1


def test_a_draft_carries_a_millisecond_that_is_ours_alone(world: World) -> None:
    make_profile(world, key=KEY)
    calendar = make_posts(world, "acme", ["in the calendar"], handoff="calendar", in_seconds=4)
    staged = make_posts(world, "acme", ["staged"], in_seconds=1)
    world.until_all(PostState.PUBLISHED, calendar + staged)
    dates = {post["content"]: post["publish_date"] for post in world.sandbox.posts()}
    due = world.post(calendar[0]).publish_at
    assert dates["in the calendar"].startswith(due.strftime("%Y-%m-%dT%H:%M:%S."))
    assert not any(date.endswith(".000Z") for date in dates.values())


def test_a_draft_that_the_user_asked_for_is_never_released(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["only a draft"], as_draft=True)
    world.until_all(PostState.DRAFT, ids)
    world.until(lambda: not waiting_tasks(world.runtime))
    assert [post["state"] for post in world.sandbox.posts()] == ["DRAFT"]
    assert world.sandbox.sends() == []


def test_a_medium_is_uploaded_once_however_many_posts_use_it(world: World) -> None:
    make_profile(world, key=KEY)
    medium = make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes(200_000))
    ids = make_posts(world, "acme", ["one", "two"], media_ids=[medium])
    world.until_all(PostState.PUBLISHED, ids)
    uploads = [
        row for row in world.sandbox.ledger(kind="request") if row["path"].endswith("/upload")
    ]
    assert len(uploads) == 1
    assert world.upload_state(medium) == "uploaded"


def test_a_refused_post_fails_alone(world: World) -> None:
    """The sandbox names the offender: its neighbours go on."""
    make_profile(world, key=KEY)
    good = make_posts(world, "acme", ["a", "b"], integration="int-x", identifier="x", settings=X)
    bad = make_posts(
        world, "acme", ["no settings"], integration="int-x", identifier="x", settings={}
    )
    world.until_all(PostState.PUBLISHED, good)
    world.until_all(PostState.FAILED, bad)
    assert "who_can_reply_post" in (world.post(bad[0]).error_message or "")
    assert sent_contents(world) == ["a", "b"]


def test_an_offender_that_nobody_names_is_found_by_halving(world: World) -> None:
    make_profile(world, key=KEY)
    good = make_posts(world, "acme", [f"good {n}" for n in range(5)])
    bad = make_posts(world, "acme", ["nowhere to go"], integration="int-gone")
    world.until_all(PostState.FAILED, bad)
    world.until_all(PostState.PUBLISHED, good)
    assert "int-gone" in (world.post(bad[0]).error_message or "")


def test_refused_credentials_hold_the_posts_until_they_are_mended(world: World) -> None:
    make_profile(world, key=KEY)
    world.sandbox.patch_org("acme", add_keys=["rotated"], revoke_keys=[KEY])
    ids = make_posts(world, "acme", ["patience"])
    world.until(lambda: world.holds() == ["credentials_rejected"])
    assert world.states(ids) == [PostState.PENDING]
    refused = len(world.sandbox.ledger(kind="request"))
    for _ in range(5):
        world.until(lambda: True)
        world.runtime.waker.stage(world.account().id)
        world.work()
    assert len(world.sandbox.ledger(kind="request")) == refused  # nothing is hammered
    account_id = world.account().id
    save_key(world, "acme", key="rotated")
    world.until_all(PostState.PUBLISHED, ids)
    assert world.account().id == account_id  # a rotated key stays one account
    assert world.post(ids[0]).attempts == 0


def test_an_outage_costs_no_attempt_and_the_work_goes_on_by_itself(world: World) -> None:
    make_profile(world, key=KEY)
    world.sandbox.add_fault("empty_401", route="*", times=3)
    ids = make_posts(world, "acme", ["after the outage"])
    world.until_all(PostState.PUBLISHED, ids)
    assert world.post(ids[0]).attempts == 0
    assert sent_contents(world) == ["after the outage"]


def test_a_lost_reply_to_a_release_is_read_and_not_repeated(world: World) -> None:
    make_profile(world, key=KEY)
    world.sandbox.add_fault("reply_lost_after", route="PUT /posts/:id/status", times=1)
    ids = make_posts(world, "acme", ["once only"])
    world.until_all(PostState.PUBLISHED, ids)
    assert sent_contents(world) == ["once only"]
    assert "release_unknown" in world.timeline(ids[0])


def test_a_spontaneous_429_is_waited_out(world: World) -> None:
    make_profile(world, key=KEY)
    world.sandbox.add_fault("spontaneous_429", route="POST /posts", times=1)
    ids = make_posts(world, "acme", ["later"])
    world.until(lambda: world.account().blocked_until is not None)
    world.work()
    assert world.states(ids) == [PostState.PENDING]
    assert world.post(ids[0]).attempts == 0
    assert counted_calls(world) == 1


def test_an_error_in_postiz_ends_with_its_words_and_what_to_do(world: World) -> None:
    make_profile(world, key=KEY)
    refusing: dict[str, Any] = {"integration": "int-x", "message": "Duplicate content"}
    world.sandbox.add_fault("publish_error", **refusing)
    everyone = {"who_can_reply_post": "everyone"}
    ids = make_posts(world, "acme", ["no"], integration="int-x", identifier="x", settings=everyone)
    world.until_all(PostState.FAILED, ids)
    post = world.post(ids[0])
    assert post.error_code == "failed_in_postiz"
    assert "Duplicate content" in (post.error_message or "")
    assert "Correct what the network refuses" in (post.error_hint or "")


def test_a_post_that_somebody_deletes_in_postiz_is_reported(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["deleted there"], handoff="calendar", in_seconds=12)
    world.until_all(PostState.SCHEDULED, ids)
    world.sandbox.clear_faults()
    gone = world.post(ids[0]).postiz_post_id
    requests.delete(f"{world.api_url}/posts/{gone}", headers={"Authorization": KEY}, timeout=120)
    world.until_all(PostState.FAILED, ids)
    assert world.post(ids[0]).error_code == "removed_in_postiz"


def test_staging_that_lost_its_worker_is_staged_anew(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["orphan"])
    assert submissions.prepare_call(world.runtime, world.account().id) is not None
    assert world.states(ids) == [PostState.STAGING]
    forget_owners(world)
    world.until_all(PostState.PUBLISHED, ids)
    assert sent_contents(world) == ["orphan"]


def test_settling_keeps_a_large_staging_from_being_released_too_early(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", [f"c{n}" for n in range(8)])
    world.until_all(PostState.PUBLISHED, ids)
    with world.database.transaction() as session:
        rows = session.execute(
            select(Submission.replied_at, Handover.released_at).join(
                Handover, Handover.submission_id == Submission.id
            )
        ).all()
    settle = timedelta(seconds=world.settings.settle_seconds)
    assert rows
    assert all(released and replied and released - replied >= settle for replied, released in rows)


def test_a_draft_whose_release_was_lost_is_parked_deleted_and_staged_anew(world: World) -> None:
    make_profile(world, key=KEY)
    world.sandbox.add_fault("reply_lost_before", route="PUT /posts/:id/status", times=1)
    ids = make_posts(world, "acme", ["in the end once"])
    world.until_all(PostState.PUBLISHED, ids)
    assert sent_contents(world) == ["in the end once"]
    assert [event for event in world.timeline(ids[0]) if "park" in event or "undone" in event] == [
        "parking",
        "parked",
        "release_undone",
    ]
    alive = [post for post in world.sandbox.posts() if not post["deleted"]]
    assert len(alive) == 1


@pytest.mark.parametrize("lands_after", [1.0, 3.0, 5.0])
def test_a_status_change_that_lands_late_publishes_at_most_once(
    world: World, lands_after: float
) -> None:
    """The worker gives up after its time-out; the request goes on inside Postiz."""
    make_profile(world, key=KEY)
    late = world.settings.call_timeout_seconds + lands_after
    world.sandbox.add_fault("hang_then_do", route="PUT /posts/:id/status", times=1, seconds=late)
    object.__setattr__(world.settings, "outcome_unknown_seconds", 20.0)
    ids = make_posts(world, "acme", ["once"])
    world.until(lambda: world.states(ids)[0] in {PostState.PUBLISHED, PostState.FAILED})
    # where it landed right behind the move to 2099, it sleeps until then
    published = world.states(ids) == [PostState.PUBLISHED]
    assert sent_contents(world) == (["once"] if published else [])


@pytest.mark.parametrize("kind", ["reply_lost_after", "reply_lost_before", "error_500_after"])
@pytest.mark.parametrize("route", ["POST /posts", "DELETE /posts/:id"])
def test_the_settling_itself_may_meet_faults(world: World, kind: str, route: str) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["once"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    world.sandbox.add_fault("reply_lost_before", route="PUT /posts/:id/status", times=1)
    world.sandbox.add_fault(kind, route=route, times=1)
    make_due(world, ids)
    world.until_all(PostState.PUBLISHED, ids)
    assert sent_contents(world) == ["once"]


def test_a_post_accepted_before_the_integrations_were_known_is_checked_before_it_goes(
    world: World,
) -> None:
    make_profile(world, key=KEY)
    good = make_posts(world, "acme", ["fine"], integration="int-mastodon", identifier=None)
    bad = make_posts(world, "acme", ["a" * 300], integration="int-x", identifier=None)
    assumed = make_posts(world, "acme", ["no settings"], integration="int-x", identifier=None)
    gone = make_posts(world, "acme", ["nowhere"], integration="int-gone", identifier=None)
    world.until_all(PostState.PUBLISHED, good + assumed)
    world.until_all(PostState.FAILED, bad + gone)
    assert "caption: x takes 280 characters" in (world.post(bad[0]).error_message or "")
    assert "Shorten it by 20" in (world.post(bad[0]).error_hint or "")
    assert world.post(assumed[0]).settings == X
    assert "settings_assumed" in world.timeline(assumed[0])
    assert "int-gone" in (world.post(gone[0]).error_message or "")
    assert counted_calls(world) == 1


def test_a_late_check_knows_the_accounts_own_limits(world: World) -> None:
    make_profile(world, key=KEY)
    with world.database.transaction() as session:
        session.execute(update(Account).values(rule_overrides={"x": {"characters": 10}}))
    ids = make_posts(world, "acme", ["of 11 chars"], integration="int-x", identifier=None)
    world.until_all(PostState.FAILED, ids)
    assert "x takes 10 characters" in (world.post(ids[0]).error_message or "")


@pytest.mark.parametrize(
    ("deaths", "state"), [(10, PostState.PENDING), (UNCLEAR.most, PostState.FAILED)]
)
def test_a_post_that_kills_its_worker_every_time_is_given_up_and_a_deploy_fails_none(
    world: World, deaths: int, state: PostState
) -> None:
    """A poison: the claim counts, so that the end comes though nobody lives to report it."""
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["poison"])
    with world.database.transaction() as session:
        session.execute(update(Post).values(unclear_calls=deaths - 1))
    assert submissions.prepare_call(world.runtime, world.account().id) is not None
    forget_owners(world)  # the worker is gone, and its lease over
    sweep.run_sweep(world.runtime)
    draft_adoption.adopt_drafts(world.runtime, world.account().id)
    assert world.states(ids) == [state]
    assert world.post(ids[0]).error_code == ("too_many_attempts" if deaths > 10 else None)


def forget_owners(world: World) -> None:
    with world.database.transaction() as session:
        for statement in (
            "UPDATE posts SET lease_until = now() - interval '1 second'",
            "UPDATE accounts SET lease_until = now() - interval '1 second'",
            "UPDATE submissions SET sent_at = sent_at - interval '1 hour'",
        ):
            session.execute(text(statement))


def test_no_two_calls_of_an_account_share_a_millisecond(world: World) -> None:
    """By its millisecond a lost call is known again: the last free one is found, then the next."""
    make_profile(world, key=KEY)
    second = datetime(2026, 11, 22, 12, tzinfo=UTC)
    account_id = world.account().id
    last = second + timedelta(milliseconds=617)

    def used(moment: datetime) -> Submission:
        return Submission(
            account_id=account_id,
            profile_id="acme",
            server="http://postiz",
            marker_at=moment,
            elements=1,
        )

    moments = [second + timedelta(milliseconds=ms) for ms in range(1, 1000)]
    with world.database.transaction() as session:
        session.add_all(used(moment) for moment in moments if moment != last)
        session.flush()
        assert submissions.free_marker(session, account_id, second) == last
        session.add(used(last))
        session.flush()
        following = submissions.free_marker(session, account_id, second)
        assert second + timedelta(seconds=1) < following < second + timedelta(seconds=2)
    with pytest.raises(IntegrityError), world.database.transaction() as session:
        session.add(used(last))


def test_an_upload_that_did_not_arrive_whole_is_made_again(world: World) -> None:
    """Postiz answers 400 for it, as for a file that it does not take."""
    make_profile(world, key=KEY)
    world.sandbox.add_fault("cut_short", route="POST /upload", times=2)
    medium = make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes(2000))
    ids = make_posts(world, "acme", ["with a medium"], media_ids=[medium])
    world.until_all(PostState.PUBLISHED, ids)
    assert world.account().failures == 0


def test_after_an_outage_postiz_is_read_before_anything_is_released(world: World) -> None:
    """Else each look whether it is over would cost a draft that has to be parked."""
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", [f"clip {n}" for n in range(4)], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    world.sandbox.add_fault("html_502", route="*", times=5)
    make_due(world, ids)
    world.until_all(PostState.PUBLISHED, ids)  # it rests for ever longer
    rows = world.sandbox.ledger(kind="request")
    said = [(row["method"], row["status"]) for row in rows if "pressroom-probe" not in row["path"]]
    seen = said[said.index(("GET", 502)) :]
    assert ("PUT", 200) in seen, "the outage was seen by a read, and then ended"
    while_out = seen[: next(place for place, each in enumerate(seen) if each == ("GET", 200))]
    assert [each for each in while_out if each[0] == "PUT"] == []
