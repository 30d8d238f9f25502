"""What keeps failing is tried so often and no more: it ends with words, and stops no neighbour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.domain.publishing.retry_limits import Tries
from shared.domain.publishing.staging_attempts import NO_MOMENT
from shared.domain.publishing.states import PostState
from shared.errors import NoFreeMoment
from shared.models import Account, Handover, Post, Submission
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element
from shared.posts import cancel_retry, transitions
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY
from tests.workers.world import World
from worker import sweep
from worker.accounts import remote_delete
from worker.publishing import track
from worker.staging import orphan_drafts, stage, submissions

DELETE = "DELETE /posts/:id"
PUT = "PUT /posts/:id/status"
FEW = 4


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """And few tries: how many there should be, and when, the unit tests of the limits say."""
    monkeypatch.setattr(Tries, "pause", lambda _, n: timedelta(0) if n < FEW else None)


pytestmark = pytest.mark.usefixtures("a_profile")


def calls(world: World, method: str, *, path: str = "") -> int:
    asked = world.sandbox.ledger(kind="request")
    return sum(row["method"] == method and path in row["path"] for row in asked)


def handovers(world: World, post_id: int) -> list[Handover]:
    with world.database.transaction() as session:
        query = select(Handover).where(Handover.post_id == post_id).order_by(Handover.id)
        return list(session.scalars(query))


def staged(world: World, content: str, **how: Any) -> int:
    [post] = make_posts(world, "acme", [content], in_seconds=600, **how)
    world.until_all(PostState.STAGED, [post])
    return post


def discarded(world: World, ids: Sequence[int]) -> None:
    with world.database.transaction() as session:
        transitions.retire_handovers(session, ids, "of the test", discard=True)
        transitions.fail_posts(
            session, ids, PostState.STAGED, code="of_the_test", message="of the test"
        )


def test_a_parked_draft_that_cannot_be_deleted_ends_and_may_be_tried_again(world: World) -> None:
    world.sandbox.add_fault("error_500_before", route=DELETE, contains="stays")
    world.sandbox.add_fault("reply_lost_before", route=PUT, times=1, contains="stays")
    [post] = make_posts(world, "acme", ["stays"])
    [neighbour] = make_posts(world, "acme", ["goes"])
    world.until_all(PostState.FAILED, [post])
    world.until_all(PostState.PUBLISHED, [neighbour])
    ended = world.post(post)
    assert ended.error_code == "draft_left_in_postiz"
    assert "Postiz answered 500" in (ended.error_message or "")
    assert world.timeline(post).count("delete_unknown") == 1
    with world.database.transaction() as session:
        cancel_retry.retry_post(session, session.get_one(type(ended), post), confirmed=False)
    world.runtime.waker.stage(world.account().id)
    world.until_all(PostState.PUBLISHED, [post])
    sent = [row["content"] for row in world.sandbox.ledger(kind="send")]
    assert sorted(sent) == ["goes", "stays"]
    world.until(lambda: handovers(world, post)[0].state == "left")
    assert calls(world, "DELETE") <= 2 * FEW


def test_a_discarded_draft_that_cannot_be_deleted_rests_nobody_and_is_left(world: World) -> None:
    post = staged(world, "stays")
    discarded(world, [post])
    world.sandbox.add_fault("error_500_before", route=DELETE, contains="stays")
    worst = 0

    def is_left() -> bool:
        nonlocal worst
        worst = max(worst, world.account().failures)
        return handovers(world, post)[0].state == "left"

    world.until(is_left)
    assert worst == 0
    assert calls(world, "DELETE") == FEW
    assert world.timeline(post)[-1] == "draft_left_in_postiz"
    with world.database.transaction() as session:
        assert orphan_drafts.find_due_accounts(session) == []


def test_deletes_end_though_nothing_can_be_read_after_them(world: World) -> None:
    """The delete was made: only one that was certainly not sent is no try."""
    post = staged(world, "stays")
    discarded(world, [post])
    world.sandbox.add_fault("error_500_before", route=DELETE, contains="stays")
    world.sandbox.add_fault("error_500_before", route="GET /posts")
    world.until(lambda: handovers(world, post)[0].state == "left")
    assert calls(world, "DELETE") == FEW
    assert world.timeline(post)[-1] == "draft_left_in_postiz"


@pytest.mark.parametrize("kind", ["error_500_before", "hang"])
def test_a_server_that_deletes_nothing_lets_its_account_rest(world: World, kind: str) -> None:
    ids = make_posts(world, "acme", ["a", "b", "c", "d"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    discarded(world, ids)
    world.sandbox.add_fault(kind, route=DELETE)
    orphan_drafts.delete_orphans(world.runtime, world.account().id)
    assert world.account().failures == 1
    assert calls(world, "DELETE") == (3 if kind == "error_500_before" else 1)


def test_drafts_of_an_unclear_call_that_cannot_be_deleted_are_left(world: World) -> None:
    world.sandbox.add_fault("reply_lost_before", route="POST /posts", times=1)
    world.sandbox.add_fault("error_500_before", route=DELETE, contains="stays")
    contents = ["stays", "goes"]
    ids = make_posts(world, "acme", contents, in_seconds=600)
    world.until_all(PostState.STAGED, ids)

    def call() -> Submission:
        with world.database.transaction() as session:
            abandoned = select(Submission).where(Submission.state == "abandoned")
            return session.scalars(abandoned).one()

    # the call runs after all, when nobody waits for it any more
    postiz = Postiz(
        base_url=world.api_url, api_key=KEY, check=not_saved, route=Route(allow_private=True)
    )
    element = partial(Element, integration_id="int-mastodon", settings={})
    postiz.stage(call().marker_at, [element(content=content) for content in contents])
    with world.database.transaction() as session:
        session.execute(update(Submission).values(litter_at=Submission.sent_at))
    world.until(lambda: call().litter_at is None)
    assert call().litter_tries == FEW
    assert "Postiz answered 500" in (call().detail or "")
    drafts = [row for row in world.sandbox.posts() if not row["deleted"]]
    assert sorted(row["content"] for row in drafts) == ["goes", "stays", "stays"]


def test_a_move_whose_worker_is_gone_leaves_no_litter_to_look_for(world: World) -> None:
    with world.database.transaction() as session:
        account = session.scalars(select(Account)).one()
        session.add(
            Submission(
                account_id=account.id,
                profile_id="acme",
                server=account.server,
                kind="park",
                marker_at=datetime(2099, 1, 1, 0, 0, 0, 7000, tzinfo=UTC),
                elements=1,
                sent_at=datetime.now(UTC) - timedelta(days=3),
            )
        )
    sweep.run_sweep(world.runtime)
    world.work()
    with world.database.transaction() as session:
        assert session.scalars(select(Submission)).one().state == "abandoned"
        assert orphan_drafts.find_due_accounts(session) == []


def cancel(world: World, post: int) -> None:
    with world.database.transaction() as session:
        cancel_retry.cancel_posts(session, [post])


def test_a_draft_that_cannot_be_deleted_is_cancelled_all_the_same(world: World) -> None:
    """It never publishes by itself; that it is still there is told."""
    post = staged(world, "stays")
    world.sandbox.add_fault("error_500_before", route=DELETE, contains="stays")
    cancel(world, post)
    world.until_all(PostState.CANCELLED, [post])
    assert world.post(post).error_code == "draft_left_in_postiz"
    assert world.timeline(post).count("delete_unknown") == 1
    world.until(lambda: handovers(world, post)[0].state == "left")
    assert calls(world, "DELETE") == 2 * FEW


def test_a_scheduled_post_that_cannot_be_deleted_goes_on_and_says_so(world: World) -> None:
    [post] = make_posts(world, "acme", ["stays"], in_seconds=3600, handoff="calendar")
    world.until_all(PostState.SCHEDULED, [post])
    world.sandbox.add_fault("error_500_before", route=DELETE, contains="stays")
    cancel(world, post)
    world.until_all(PostState.SCHEDULED, [post])
    assert world.post(post).error_code == "not_cancelled"
    assert calls(world, "DELETE") == FEW
    world.sandbox.clear_faults()
    cancel(world, post)
    world.until_all(PostState.CANCELLED, [post])


def test_a_window_that_cannot_be_read_keeps_no_other_from_being_looked_at(world: World) -> None:
    """As long as another one can: else it is the server that fails."""
    ids = [
        *make_posts(world, "acme", ["a"], in_seconds=3600, handoff="calendar"),
        *make_posts(world, "acme", ["b"], in_seconds=7200, handoff="calendar"),
    ]
    world.until_all(PostState.SCHEDULED, ids)
    with world.database.transaction() as session:
        due = update(Post).values(track_at=func.now()).returning(func.now())
        now = session.scalars(due).all()[0]
    world.sandbox.add_fault("error_500_before", route="GET /posts", times=1)
    track.track(world.runtime, world.account().id)
    assert world.account().failures == 0
    looked_at = sorted(world.post(post).track_at or now for post in ids)
    assert looked_at[0] - now < timedelta(minutes=5) < looked_at[1] - now
    with world.database.transaction() as session:
        session.execute(update(Post).values(track_at=func.now()))
    world.sandbox.add_fault("error_500_before", route="GET /posts")
    track.track(world.runtime, world.account().id)
    assert world.account().failures == 1


def test_a_release_that_cannot_be_looked_at_for_a_day_is_left_to_a_person(world: World) -> None:
    world.sandbox.add_fault("reply_lost_before", route=PUT, times=1)
    [post] = make_posts(world, "acme", ["a"])
    world.until_all(PostState.RELEASING, [post])
    world.sandbox.add_fault("error_500_before", route="GET /posts")
    with world.database.transaction() as session:
        session.execute(update(Post).values(released_at=func.now() - timedelta(days=2)))
    world.until_all(PostState.FAILED, [post])
    assert world.post(post).error_code == "outcome_unknown"
    assert world.post(post).track_at is not None, "it is followed: it may have been published"


def test_deletes_that_are_acknowledged_in_vain_are_counted_too(world: World) -> None:
    post = staged(world, "stays")
    [handover] = handovers(world, post)
    for state in ("staged", "deleting", "deleted"):
        with world.database.transaction() as session:
            session.execute(update(Handover).values(state=state))
            remote_delete.note_try(session, handover.id)
    assert handovers(world, post)[0].tries == 3


def test_posts_for_which_no_millisecond_is_free_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Postiz's calendar, or among our own calls: neither is looked through for ever."""
    [post] = make_posts(world, "acme", ["a"])
    for _ in range(NO_MOMENT.most):
        call = submissions.prepare_call(world.runtime, world.account().id)
        assert call is not None
        stage._record_failure(world.runtime, call, NoFreeMoment("none is free"))
        with world.database.transaction() as session:
            session.execute(update(Account).values(retry_at=None))
    assert world.post(post).error_code == "too_many_attempts"
    assert "none is free" in (world.post(post).error_message or "")
    monkeypatch.setattr(submissions, "SECONDS_TRIED", 0)
    make_posts(world, "acme", ["b"])
    assert submissions.prepare_call(world.runtime, world.account().id) is None
    assert world.account().failures > 0, "it rests"
