"""After a lost reply to a creation: what is there is kept, and only what is missing staged anew."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, OutcomeUnknown, Paused
from shared.models import Account, Handover, Submission
from shared.net.outbound_route import Route
from shared.postiz.client import Created, Postiz
from shared.postiz.discovery import not_saved
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts, request_cancel
from tests.factories.profiles import KEY, save_key
from tests.workers.world import World
from worker.staging import call_windows, draft_adoption, lost_calls, stage, submissions

pytestmark = pytest.mark.usefixtures("a_profile")


def creations(world: World) -> int:
    rows = world.sandbox.ledger(kind="request")
    return sum(row["method"] == "POST" and row["path"].endswith("/posts") for row in rows)


def drafts(world: World) -> list[dict[str, Any]]:
    return [
        post for post in world.sandbox.posts() if post["state"] == "DRAFT" and not post["deleted"]
    ]


def by_content(world: World) -> dict[str, str]:
    return {post["content"]: post["id"] for post in world.sandbox.posts()}


def alive(world: World) -> dict[int, str]:
    with world.database.transaction() as session:
        rows = session.scalars(select(Handover).where(Handover.buried_at.is_(None)))
        return {row.post_id: row.postiz_id for row in rows}


def call_of(world: World) -> Submission:
    with world.database.transaction() as session:
        return session.scalars(select(Submission).order_by(Submission.id).limit(1)).one()


def prepared(world: World) -> submissions.Call:
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    return call


def postiz(world: World) -> Postiz:
    return Postiz(
        base_url=world.api_url, api_key=KEY, check=not_saved, route=Route(allow_private=True)
    )


def create(world: World, call: submissions.Call) -> Created:
    """The request runs in Postiz, whoever awaits it."""
    return postiz(world).stage(call.marker_at, call.elements)


def take_for_dead(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(update(Submission).values(sent_at=func.now() - timedelta(minutes=2)))
        lost_calls.rescue_calls(session, 40, wait_seconds=90)


def end_lease(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(update(Account).values(lease_until=None))


def look(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(update(Submission).values(look_at=func.now()))
    draft_adoption.adopt_drafts(world.runtime, world.account().id)


@pytest.mark.parametrize("fault", ["reply_lost_after", "error_500_after", "truncated_reply"])
def test_a_lost_reply_costs_no_second_call_and_leaves_no_litter(world: World, fault: str) -> None:
    world.sandbox.add_fault(fault, route="POST /posts", times=1)
    ids = make_posts(world, "acme", ["one", "two <b>&</b> three", "four"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    assert creations(world) == 1
    assert len(drafts(world)) == 3
    assert sorted(alive(world).values()) == sorted(by_content(world).values())
    assert world.post(ids[0]).postiz_post_id == by_content(world)["one"]
    make_due(world, ids)
    world.until_all(PostState.PUBLISHED, ids)
    assert len(world.sandbox.sends()) == 3


def test_only_what_is_missing_is_staged_anew(world: World) -> None:
    world.sandbox.add_fault("stop_midway", route="POST /posts", times=1, elements=2)
    ids = make_posts(world, "acme", ["one", "two", "three", "four"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    with world.database.transaction() as session:
        calls = session.scalars(select(Submission.elements).order_by(Submission.id)).all()
    assert calls == [4, 2]
    assert len(drafts(world)) == 4
    assert sorted(alive(world)) == ids


def test_one_caption_for_two_clips_is_staged_anew_since_nobody_can_tell_which_is_which(
    world: World,
) -> None:
    """Postiz shows no media. What the first call left is deleted, once nothing else is due."""
    media = [make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes([n]) * 100) for n in (1, 2)]
    world.until(lambda: [world.upload_state(each) for each in media] == ["uploaded"] * 2)
    world.sandbox.add_fault("reply_lost_after", route="POST /posts", times=1)
    ids = [
        make_posts(world, "acme", ["new!"], in_seconds=600, media_ids=[each])[0] for each in media
    ]
    world.until_all(PostState.STAGED, ids)
    assert creations(world) == 2
    with world.database.transaction() as session:
        first = session.scalars(select(Submission.id).order_by(Submission.id).limit(1)).one()
        kept = session.scalars(select(Handover.submission_id)).all()
    assert first not in kept
    world.until(lambda: len(drafts(world)) == 2)


def test_what_is_created_after_the_last_look_is_litter_and_what_was_adopted_is_not(
    world: World,
) -> None:
    """A proxy repeated the call, or it ran in Postiz long after it was given up."""
    ids = make_posts(world, "acme", ["one", "two"], in_seconds=600)
    call = prepared(world)
    create(world, call)
    take_for_dead(world)
    look(world)
    adopted = alive(world)
    assert sorted(adopted) == ids
    create(world, call)
    with world.database.transaction() as session:
        session.execute(update(Submission).values(litter_at=func.now()))
    world.until(lambda: len(drafts(world)) == 2)
    assert sorted(post["id"] for post in drafts(world)) == sorted(adopted.values())
    assert alive(world) == adopted


def test_a_post_that_has_time_waits_for_the_request_and_one_that_is_due_does_not(
    world: World,
) -> None:
    [later] = make_posts(world, "acme", ["later"], in_seconds=3600)
    [soon] = make_posts(world, "acme", ["soon"], in_seconds=60)
    call = prepared(world)
    with world.database.transaction() as session:
        lost_calls.rescue_calls(session, -1, wait_seconds=90)
    look(world)
    assert world.states([later, soon]) == [PostState.STAGING, PostState.PENDING]
    create(world, call)
    look(world)
    assert world.states([later, soon]) == [PostState.STAGED, PostState.PENDING]
    assert call_of(world).state == "abandoned"


def test_a_worker_that_was_taken_for_dead_can_neither_make_its_call_nor_note_its_reply(
    world: World,
) -> None:
    """It was frozen for longer than its lease; the others have adopted what it created."""
    ids = make_posts(world, "acme", ["one", "two"], in_seconds=600)
    call = prepared(world)
    take_for_dead(world)
    publisher = world.runtime.publishers.get("acme", call.credentials.version)
    with pytest.raises(Paused):
        submissions.check_before_send(world.runtime, call, publisher)
    created = create(world, call)
    look(world)
    adopted = alive(world)
    with pytest.raises(ClaimLost):
        stage._record_drafts(world.runtime, call, created)
    assert alive(world) == adopted
    assert world.states(ids) == [PostState.STAGED] * 2


def test_what_a_worker_that_was_taken_for_dead_created_for_a_cancelled_post_is_litter(
    world: World,
) -> None:
    ids = make_posts(world, "acme", ["once"], in_seconds=600)
    call = prepared(world)
    take_for_dead(world)
    request_cancel(world, ids)
    world.until_all(PostState.CANCELLED, ids)
    created = create(world, call)
    with pytest.raises(ClaimLost):
        stage._record_drafts(world.runtime, call, created)
    assert alive(world) == {}


def test_a_worker_that_was_taken_for_dead_does_not_open_again_what_others_have_ended(
    world: World,
) -> None:
    """Nothing may be adopted of a call whose litter is being deleted."""
    make_posts(world, "acme", ["once"], in_seconds=60)
    call = prepared(world)
    take_for_dead(world)
    look(world)
    assert call_of(world).state == "abandoned"
    with pytest.raises(ClaimLost):
        stage._record_failure(world.runtime, call, OutcomeUnknown("no answer"))
    assert call_of(world).state == "abandoned"


def test_a_look_that_comes_back_when_its_post_is_staged_anew_changes_nothing(world: World) -> None:
    """Its worker was frozen; the others saw no draft then, and have ended the call."""
    ids = make_posts(world, "acme", ["once"], in_seconds=60)
    first = prepared(world)
    take_for_dead(world)
    with world.database.transaction() as session:
        session.execute(update(Submission).values(look_at=func.now()))
    [late] = call_windows.claim_windows(
        world.runtime, world.account().id, draft_adoption._is_due(), due_column="look_at"
    )
    look(world)
    assert world.states(ids) == [PostState.PENDING]
    with world.database.transaction() as session:
        session.execute(update(Submission).values(litter_at=None))
    end_lease(world)
    prepared(world)
    create(world, first)
    draft_adoption._adopt_from_window(world.runtime, late)
    assert alive(world) == {}
    assert world.states(ids) == [PostState.STAGING]
    assert call_of(world).litter_at is None


def test_nothing_is_adopted_for_a_post_that_was_taken_back_meanwhile(world: World) -> None:
    ids = make_posts(world, "acme", ["one", "two"], in_seconds=600)
    call = prepared(world)
    create(world, call)
    take_for_dead(world)
    request_cancel(world, ids[:1])
    look(world)
    assert list(alive(world)) == ids[1:]
    world.until_all(PostState.CANCELLED, ids[:1])
    world.until(lambda: [post["content"] for post in drafts(world)] == ["two"])


def test_what_somebody_has_released_in_postiz_is_followed_and_not_released_again(
    world: World,
) -> None:
    ids = make_posts(world, "acme", ["once"])
    call = prepared(world)
    [postiz_id] = create(world, call).ids
    postiz(world).release(postiz_id)
    take_for_dead(world)
    look(world)
    assert world.states(ids) == [PostState.RELEASING]
    world.until_all(PostState.PUBLISHED, ids)
    assert len(world.sandbox.sends()) == 1


def test_a_call_whose_profile_has_another_account_by_now_is_not_waited_for(world: World) -> None:
    world.sandbox.create_org(
        "other",
        keys=["key-of-other"],
        integrations=[{"id": "int-other", "name": "Other", "identifier": "mastodon"}],
    )
    ids = make_posts(world, "acme", ["one"], in_seconds=600)
    prepared(world)
    take_for_dead(world)
    save_key(world, "acme", key="key-of-other")
    with world.database.transaction() as session:
        assert lost_calls.give_up_calls(session) == 1
    assert world.states(ids) == [PostState.PENDING]
