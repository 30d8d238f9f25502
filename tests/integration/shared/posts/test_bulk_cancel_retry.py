"""Many posts taken back, or tried again, at once: in batches, beside workers, and only once."""

import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import EVERY_PROFILE, VisibleProfiles
from shared.domain.publishing.states import PostState
from shared.models import Post
from shared.posts import bulk_cancel_retry, cancel_retry, transitions
from shared.posts.post_queries import PostFilter
from tests.factories.jobs import make_job, set_states
from tests.factories.posts import make_due, make_posts, make_refused_posts
from tests.factories.profiles import KEY, make_profile
from tests.servers.api import Api
from tests.timing.patience import PATIENCE, wait_until
from tests.workers.world import World
from worker.staging import stage, submissions

EVERYTHING = PostFilter(visible=VisibleProfiles.only({"acme"}))


def many(world: World, number: int) -> int:
    """As many pending posts of one job, due tomorrow; the job's id."""
    [first] = make_posts(world, "acme", ["first"], in_seconds=86_400)
    with world.database.transaction() as session:
        row = session.get_one(Post, first)
        names = ("job_id", "profile_id", "account_id", "integration_id", "publish_at", "handoff")
        same = {name: getattr(row, name) for name in names}
        rows = [{**same, "position": n, "content": f"clip {n}"} for n in range(1, number)]
        session.execute(insert(Post), rows)
        return row.job_id


def states(world: World) -> set[str]:
    with world.database.transaction() as session:
        return set(session.scalars(select(Post.state).distinct()))


def test_ten_thousand_posts_are_cancelled_while_a_worker_holds_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others do not wait for it; it is taken back once it is free."""
    monkeypatch.setattr(bulk_cancel_retry, "PATIENCE", PATIENCE)
    make_profile(world, key=KEY)
    job_id = many(world, 10_000)
    wanted = PostFilter(visible=EVERY_PROFILE, job_id=job_id)
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with world.database.transaction() as session:
            session.scalar(select(Post.id).order_by(Post.id).limit(1).with_for_update())
            held.set()
            let_go.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(PATIENCE)
    done = threading.Thread(
        target=bulk_cancel_retry.cancel_matching_posts, args=(world.database, wanted)
    )
    done.start()
    try:
        wait_until(lambda: cancelled(world) == 9_999)
        assert done.is_alive()
    finally:
        let_go.set()
    holder.join()
    done.join(PATIENCE)
    assert states(world) == {"cancelled"}
    assert bulk_cancel_retry.cancel_matching_posts(world.database, wanted).posts == 0


def cancelled(world: World) -> int:
    with world.database.transaction() as session:
        rows = session.scalars(select(Post.id).where(Post.state == PostState.CANCELLED))
        return len(rows.all())


def test_what_is_being_released_is_taken_back_when_that_came_to_nothing(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["on its way"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    make_due(world, ids)
    one = world.claim_release()
    changed = bulk_cancel_retry.cancel_matching_posts(world.database, EVERYTHING)
    assert changed.posts == 1
    world.send_release(one)  # asks before its first byte
    world.until_all(PostState.CANCELLED, ids)
    assert world.sandbox.sends() == []
    assert world.sandbox.posts()[0]["deleted"]
    assert not world.post(ids[0]).take_back


def test_what_is_being_released_into_the_calendar_is_taken_back_there(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["next week"], handoff="calendar", in_seconds=7 * 86_400)
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    stage._run_call(world.runtime, call)
    one = world.claim_release()
    world.send_release(one)  # scheduled there, which nobody has read yet
    assert world.states(ids) == [PostState.RELEASING]
    bulk_cancel_retry.cancel_matching_posts(world.database, EVERYTHING)
    world.until_all(PostState.CANCELLED, ids)


def test_a_pack_whose_posts_were_taken_back_is_not_sent(world: World) -> None:
    make_profile(world, key=KEY)
    make_posts(world, "acme", ["one", "two"])
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    bulk_cancel_retry.cancel_matching_posts(world.database, EVERYTHING)
    stage._run_call(world.runtime, call)
    world.until(lambda: states(world) == {"cancelled"})
    assert world.sandbox.posts() == []


def test_retry_takes_what_failed_before_and_leaves_what_may_be_live(world: World) -> None:
    make_profile(world, key=KEY)
    tired = make_refused_posts(world, ["tired"])
    gone = make_posts(world, "acme", ["nowhere"], integration="int-gone")
    world.until_all(PostState.FAILED, tired + gone)
    changed = bulk_cancel_retry.retry_matching_posts(world.database, EVERYTHING, confirmed=False)
    assert (changed.posts, changed.count_refused("may_be_live")) == (1, 1)
    assert world.states(tired + gone) == [PostState.FAILED, PostState.PENDING]


def test_posts_are_chosen_by_what_they_are(api: Api) -> None:
    job = make_job(api, 4)
    set_states(api, "failed", "failed", "published", "pending", error_code="media_refused")
    ids = [row["id"] for row in api.get(f"/jobs/{job}/posts").json["items"]]
    listed = api.get("/posts?state=failed&error_code=media_refused").json["items"]
    assert [row["id"] for row in listed] == ids[:2]
    assert api.get("/posts?state=failed&error_code=other").json["items"] == []
    one = api.post("/posts/retry", {"ids": ids[:1]})
    assert one.status_code == 202
    assert one.json == {"matched": 1, "changed": 1, "may_be_live": 0, "refused": []}
    assert api.post("/posts/retry", {"ids": ids[:1]}).json["changed"] == 0
    rest = {"error_code": "media_refused", "integration_id": "int-mastodon"}
    assert api.post("/posts/retry", rest).json["changed"] == 1
    assert api.post("/posts/cancel", {"ids": ids[1:3]}).json["changed"] == 1
    assert api.post("/posts/cancel", {"job_id": job}).json["changed"] == 2
    assert api.post("/posts/cancel", {"job_id": job}).json["changed"] == 0
    counts = api.get(f"/jobs/{job}").json["counts"]
    assert counts == {"published": 1, "cancelled": 3}


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["x"]}, {"job": "1"}, {"state": "odd"}])
def test_a_choice_that_says_nothing_is_refused(api: Api, body: object) -> None:
    for word in ("cancel", "retry"):
        assert api.post(f"/posts/{word}", body).status_code == 400


def test_a_profile_and_an_account_are_cancelled_and_retried_as_a_whole(api: Api) -> None:
    make_job(api, 2)
    set_states(api, "failed", "pending")
    [account] = api.get("/accounts").json["items"]
    whole = ("/profiles/acme", f"/accounts/{account['id']}")
    assert api.post(f"{whole[0]}/retry", None).json["changed"] == 1
    set_states(api, "failed", "draft")
    assert api.post(f"{whole[1]}/retry", None).json["changed"] == 1
    for path in whole:
        set_states(api, "pending", "draft")
        assert api.post(f"{path}/cancel", None).json["changed"] == 1
    assert api.post("/profiles/nobody/cancel", None).status_code == 404
    assert api.post("/accounts/999/cancel", None).status_code == 404


def test_a_key_changes_only_what_it_may_see(api: Api) -> None:
    job = make_job(api, 1)
    assert api.post("/profiles", {"id": "other", "name": "Other"}).status_code == 201
    key = api.key("publish", profiles=["other"])
    assert api.post("/posts/cancel", {"job_id": job}, key=key).json["changed"] == 0
    assert api.post("/profiles/acme/cancel", None, key=key).status_code == 404
    assert api.get(f"/jobs/{job}").json["counts"] == {"pending": 1}


def test_what_postiz_is_about_to_publish_is_asked_for_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker finds that it is too late for one post while the others are still being cancelled;
    so it is for as long as the post is near its time, and the request would end no sooner."""
    make_job(api, 3)
    set_states(api, *["scheduled"] * 3)
    cancel_posts, rounds = cancel_retry.cancel_posts, iter(range(20))

    def cancel_beside_a_worker(session: Session, ids: Sequence[int]) -> list[int]:
        assert next(rounds, None) is not None, "it goes on for ever"
        cancelled = cancel_posts(session, ids)
        late = PostState.CANCELLING, PostState.SCHEDULED
        event = cancel_retry.TOO_LATE_TO_CANCEL
        transitions.move_posts(session, cancelled[:1], *late, event=event)
        return cancelled

    monkeypatch.setattr(bulk_cancel_retry, "BATCH", 1)
    monkeypatch.setattr(cancel_retry, "cancel_posts", cancel_beside_a_worker)
    database = api.services.database
    assert bulk_cancel_retry.cancel_matching_posts(database, EVERYTHING).posts == 3
    assert [post.state for post in api.posts()] == ["scheduled"] * 3
    again = bulk_cancel_retry.cancel_matching_posts(database, EVERYTHING)
    assert again.posts == 3  # who asks again is heard again
