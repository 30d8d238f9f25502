"""Posts that wait for approval, with a worker beside them: nothing unapproved reaches Postiz."""

import random
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared import db
from shared.access.visible_profiles import EVERY_PROFILE
from shared.approvals import decisions
from shared.domain.publishing.states import PostState
from shared.errors import Conflict
from shared.models import Delivery, Handover, Job, Post, Submission, Webhook
from shared.posts import edits, transitions
from shared.posts.edits import Edit
from shared.posts.post_queries import PostFilter
from tests.factories.posts import make_due, make_posts, request_retry
from tests.workers.world import World
from worker import sweep
from worker.accounts import server_turns
from worker.accounts.eligibility import may_go
from worker.due_work import DueWork
from worker.staging import stage, submissions

pytestmark = pytest.mark.usefixtures("a_profile")

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)


def make_waiting(world: World, contents: Sequence[str], **more: Any) -> list[int]:
    """Posts that wait for approval, with all else that `make_posts` takes."""
    ids = make_posts(world, "acme", contents, **more)
    with world.database.transaction() as session:
        asking = {"requires_approval": True}
        session.execute(update(Post).where(Post.id.in_(ids)).values(asking))
        transitions.ask_for_approval(session, ids)
    return ids


def approve(world: World, *ids: int, revision: int | None = None) -> None:
    for post_id in ids:
        with world.database.transaction() as session:
            post = session.get_one(Post, post_id)
            decisions.approve_post(session, post, by="a test", revision=revision)


def edit(world: World, *ids: int, **values: Any) -> None:
    with world.database.transaction() as session:
        rows = select(Post.id).where(Post.id.in_(ids), edits.is_editable()).with_for_update()
        assert set(session.scalars(rows)) == set(ids)
        edits.edit_posts(session, dict.fromkeys(ids, Edit(**values)))


def sent(world: World) -> list[str]:
    return sorted(send["content"] for send in world.sandbox.sends())


def force_state(world: World, state: PostState) -> None:
    """As no code of ours does it."""
    with world.database.transaction() as session:
        session.execute(update(Post).values(state=state, release_at=func.now()))


@pytest.mark.parametrize("how", [{}, {"handoff": "calendar"}, {"as_draft": True}])
def test_nothing_of_it_reaches_postiz_before_and_all_of_it_after(
    world: World, how: dict[str, Any]
) -> None:
    ids = make_waiting(world, ["one", "two"], **how)
    with closing(DueWork(world.database.engine, world.settings)) as due_work:
        assert due_work.find_due_steps() == {}, "no step is due for it"
    assert submissions.prepare_call(world.runtime, world.account().id) is None
    assert world.sandbox.posts() == []
    approve(world, *ids)
    end = PostState.DRAFT if how.get("as_draft") else PostState.PUBLISHED
    world.until_all(end, ids)
    assert sent(world) == ([] if how.get("as_draft") else ["one", "two"])


def test_a_state_alone_lets_nothing_unapproved_out(world: World) -> None:
    """Staging and releasing ask for the approval itself, too."""
    [post_id] = make_waiting(world, ["never"])
    force_state(world, PostState.PENDING)
    with world.database.transaction() as session:
        assert submissions.find_due_accounts(session) == []
    assert submissions.prepare_call(world.runtime, world.account().id) is None
    force_state(world, PostState.STAGED)
    assert server_turns.find_releasable(world.runtime)[0] == []
    with world.database.transaction() as session:
        ready = select(Post.id).where(may_go())
        assert session.scalars(ready).all() == []
        session.execute(update(Post).values(approved_revision=Post.revision))
        assert session.scalars(ready).all() == [post_id]


def test_an_edit_takes_the_draft_of_what_was_approved_out_of_postiz(world: World) -> None:
    [post_id] = make_waiting(world, ["old"], in_seconds=600)
    approve(world, post_id)
    world.until_all(PostState.STAGED, [post_id])
    edit(world, post_id, publish_at=LATER)
    assert world.states([post_id]) == [PostState.WAITING_APPROVAL]
    world.until(lambda: all(post["deleted"] for post in world.sandbox.posts()))
    edit(world, post_id, content="new", publish_at=datetime.now(UTC))
    approve(world, post_id, revision=3)
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["new"]


def test_what_is_in_the_calendar_is_taken_back_before_it_waits_again(world: World) -> None:
    [post_id] = make_waiting(world, ["old"], handoff="calendar", in_seconds=3600)
    approve(world, post_id)
    world.until_all(PostState.SCHEDULED, [post_id])
    listen(world, "post.approval_requested")
    edit(world, post_id, content="new")
    assert world.states([post_id]) == [PostState.RESCHEDULING]
    world.until_all(PostState.WAITING_APPROVAL, [post_id])
    assert told(world) == [("new", 2)], "what is to be approved"
    assert [post["deleted"] for post in world.sandbox.posts()] == [True]
    assert (world.post(post_id).content, world.post(post_id).edit) == ("new", None)
    approve(world, post_id)
    world.until_all(PostState.SCHEDULED, [post_id])


def listen(world: World, event: str) -> None:
    with world.database.transaction() as session:
        session.add(Webhook(url="http://127.0.0.1:9", events=[event], secret="", enabled=True))


def told(world: World) -> list[tuple[str, int]]:
    """The contents and revisions that webhooks are told of."""
    with world.database.transaction() as session:
        rows = session.scalars(select(Delivery.data).order_by(Delivery.id))
        return [(data["content"], data["revision"]) for data in rows]


def test_an_edit_during_the_call_that_stages_what_was_approved_asks_anew(world: World) -> None:
    [post_id] = make_waiting(world, ["old"], in_seconds=600)
    approve(world, post_id)
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    edit(world, post_id, content="new")
    stage._run_call(world.runtime, call)
    make_due(world, [post_id])
    world.until_all(PostState.WAITING_APPROVAL, [post_id])
    assert sent(world) == []
    approve(world, post_id, revision=2)
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["new"]


def test_an_edit_that_was_dropped_leaves_the_approval_of_what_goes_out(world: World) -> None:
    [post_id] = make_waiting(world, ["old"], in_seconds=600)
    approve(world, post_id)
    with world.database.transaction() as session:
        waiting = update(Post).where(Post.id == post_id).values(edit={"content": "new"})
        session.execute(waiting)
        transitions.drop_edits(session, [post_id], "a test")
    post = world.post(post_id)
    assert (post.revision, post.approved_revision) == (2, 2)


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        ("publish", PostState.WAITING_APPROVAL),
        ("skip", PostState.FAILED),
        ("hold", PostState.HELD),
    ],
)
def test_what_is_not_approved_in_time_follows_its_late_policy(
    world: World, policy: str, state: PostState
) -> None:
    [post_id] = make_waiting(world, ["late"], in_seconds=-600)
    with world.database.transaction() as session:
        session.execute(update(Post).values(late_policy=policy))
    if policy != "publish":
        world.until_all(state, [post_id])
        request_retry(world, post_id)
    assert world.states([post_id]) == [PostState.WAITING_APPROVAL]
    assert world.sandbox.posts() == []
    approve(world, post_id)
    world.until_all(PostState.PUBLISHED, [post_id])


def test_a_post_whose_channel_is_not_known_is_checked_before_it_is_approved(world: World) -> None:
    [post_id] = make_waiting(world, ["hi"], identifier=None, in_seconds=600)
    deferred = {"late": {"0": {"caption": "hi", "captions": {"mastodon": "hi, mastodon"}}}}
    with world.database.transaction() as session:
        session.execute(update(Job).values(options=deferred))
    with pytest.raises(Conflict, match="channel is not known"):
        approve(world, post_id)
    world.until(lambda: world.post(post_id).integration_identifier == "mastodon")
    assert world.states([post_id]) == [PostState.WAITING_APPROVAL]
    with pytest.raises(Conflict, match="has changed"):
        approve(world, post_id, revision=1)
    assert world.post(post_id).content == "hi, mastodon"
    approve(world, post_id, revision=2)
    world.until_all(PostState.STAGED, [post_id])


def test_an_approval_and_an_edit_that_meet_end_one_after_the_other(world: World) -> None:
    """In either order the edited post waits, and nobody's approval of the old one lets it out."""
    ids = make_waiting(world, [f"old {number}" for number in range(12)])
    refused: list[int] = []
    start = threading.Barrier(2)

    def approve_what_was_seen() -> None:
        start.wait()
        for post_id in ids:
            try:
                approve(world, post_id, revision=1)
            except Conflict as error:
                assert error.code == decisions.CHANGED
                refused.append(post_id)

    def edit_all() -> None:
        start.wait()
        for post_id in reversed(ids):
            edit(world, post_id, content=f"new {post_id}")

    threads = [threading.Thread(target=each) for each in (approve_what_was_seen, edit_all)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(world.states(ids)) == {PostState.WAITING_APPROVAL}
    for post_id in ids:
        post = world.post(post_id)
        before = None if post_id in refused else 1
        assert (post.revision, post.approved_revision) == (2, before)
    assert submissions.prepare_call(world.runtime, world.account().id) is None
    with world.database.transaction() as session:
        assert not session.scalars(select(Submission.id)).all()
        assert not session.scalars(select(Handover.id)).all()


@pytest.mark.parametrize("seed", range(2))
def test_whatever_editors_and_approvers_do_what_is_sent_was_approved_as_it_is(
    world: World, seed: int
) -> None:
    rng = random.Random(seed)
    ids = make_waiting(world, [f"{number}, revision 1" for number in range(8)], in_seconds=-1)
    seen: dict[int, tuple[int, str]] = {}
    approved: set[str] = set()
    for _ in range(80):
        post_id = rng.choice(ids)
        post = world.post(post_id)
        match rng.choice(["look", "approve", "approve", "edit", "reject", "retry", "work"]):
            case "look":
                seen[post_id] = (post.revision, post.content)
            case "approve" if post_id in seen:
                revision, content = seen[post_id]
                with suppress(Conflict):
                    approve(world, post_id, revision=revision)
                    approved.add(content)
            case "edit":
                new = f"{post.position}, revision {post.revision + 1}"
                with suppress(AssertionError):
                    edit(world, post_id, content=new)
            case "reject":
                reject(world, post_id)
            case "retry" if post.state == PostState.CANCELLED:
                request_retry(world, post_id)
            case "work":
                sweep.run_sweep(world.runtime)
                sweep.run_tick(world.runtime)
                world.work()
    for post_id in ids:
        reject(world, post_id)
    settled = {PostState.PUBLISHED, PostState.CANCELLED, PostState.WAITING_APPROVAL}
    world.until(lambda: set(world.states(ids)) <= settled)
    assert set(sent(world)) <= approved
    assert sent(world), "something was approved and not edited after it"
    assert len({content.partition(",")[0] for content in sent(world)}) == len(sent(world))


def reject(world: World, post_id: int) -> None:
    with suppress(Conflict), world.database.transaction() as session:
        decisions.reject_post(session, session.get_one(Post, post_id), by="a test", note="")


def test_what_its_network_changed_since_a_person_looked_is_not_approved_with_all_of_a_job(
    world: World,
) -> None:
    """While the channel was not known, the post showed what the request has for no network."""
    [post_id] = make_waiting(world, ["for any network"], identifier=None, in_seconds=3600)
    job_id = world.post(post_id).job_id
    kept = {"0": {"caption": "for any network", "captions": {"mastodon": "for Mastodon"}}}
    with world.database.transaction() as session:
        session.get_one(Job, job_id).options = {"late": kept}
    with world.database.transaction() as session:
        looked_at = db.read_certain_moment(session)
    world.until(lambda: world.post(post_id).content == "for Mastodon")
    of_job = PostFilter(visible=EVERY_PROFILE, job_id=job_id)
    approve_all = partial(decisions.approve_matching_posts, world.database, of_job, by="a test")
    assert approve_all(as_of=looked_at).posts == 0
    assert world.states([post_id]) == [PostState.WAITING_APPROVAL]
    assert approve_all().posts == 1
