"""Threads: all parts go out once and in order, whatever happens on the way, or a person is told."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from local.sandbox.process import SandboxProcess
from shared.domain.publishing.states import PostState
from shared.errors import Conflict
from shared.media import media_use
from shared.media.post_media import media_of_parts
from shared.models import AccountMedia, Handover, Post, Submission
from shared.posts import cancel_retry, edits
from shared.posts.edits import Edit
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts, request_cancel, request_retry
from tests.factories.profiles import KEY, make_profile
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from worker.media import upload
from worker.staging.batch_selection import build_elements

PARTS = ["second", "third", "last"]


@pytest.fixture
def world(
    only_acme: SandboxProcess, database_url: str, tmp_path: Path, short_rests: None
) -> Iterator[World]:
    """Where a thread is over half a second after its last part is due."""
    runtime = make_runtime(database_url, tmp_path, PRESSROOM_OVERDUE_SECONDS="0.5")
    made = World(runtime=runtime, sandbox=only_acme.admin, api_url=only_acme.api_url)
    make_profile(made, key=KEY)
    yield made
    runtime.close()


def part(content: str, *media_ids: int) -> dict[str, Any]:
    return {"content": content, "media_ids": list(media_ids), "delay_minutes": 0}


def make_thread(
    world: World, parts: Sequence[dict[str, Any]], *, content: str = "first", **more: Any
) -> int:
    [post_id] = make_posts(world, "acme", [content], **more)
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == post_id).values(thread=list(parts)))
    return post_id


def whole(world: World) -> int:
    return make_thread(world, [part(content) for content in PARTS], in_seconds=600)


def sent(world: World) -> list[str]:
    """The first parts, and then the others, in their order."""
    return [row["content"] for row in (*world.sandbox.sends(), *world.sandbox.parts())]


def publish(world: World, post_id: int) -> None:
    make_due(world, [post_id])
    world.until_all(PostState.PUBLISHED, [post_id])


def test_all_parts_go_out_once_and_in_order_with_their_media(world: World) -> None:
    image = make_medium(world, "acme", FILES.png())
    world.sandbox.change_timing(part_minute=0.01)
    late = {**part("last"), "delay_minutes": 30}
    post_id = make_thread(world, [part("second", image), late])
    world.until_all(PostState.SCHEDULED, [post_id])
    world.until(lambda: world.post(post_id).release_url is not None)
    assert world.states([post_id]) == [PostState.SCHEDULED]
    world.until(lambda: len(world.sandbox.parts()) == 2)
    with world.database.transaction() as session:  # as if half an hour were over
        session.execute(update(Post).values(thread=[part("second", image), part("last")]))
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["first", "second", "last"]
    assert [len(row["media"]) for row in world.sandbox.parts()] == [1, 0]
    assert world.timeline(post_id)[-2:] == ["first_part_published", "published"]


def test_a_thread_whose_release_was_lost_is_parked_and_goes_out_once_as_a_whole(
    world: World,
) -> None:
    world.sandbox.add_fault("reply_lost_before", route="PUT /posts/:id/status", times=1)
    post_id = whole(world)
    with world.database.transaction() as session:
        moved = build_elements(session, 1, [session.get_one(Post, post_id)], {post_id: "id"})
    assert len(moved[post_id].as_json()["value"]) == 1  # Postiz would add the others once more
    publish(world, post_id)
    assert "parked" in world.timeline(post_id)
    assert sent(world) == ["first", *PARTS]


def test_the_draft_of_a_call_that_stopped_midway_is_not_used(world: World) -> None:
    """Without its last two parts it looks like a whole one."""
    world.sandbox.add_fault("stop_midway", route="POST /posts", times=1, elements=0, parts=2)
    post_id = whole(world)
    world.until_all(PostState.STAGED, [post_id])
    with world.database.transaction() as session:
        first = session.scalars(select(Submission).order_by(Submission.id).limit(1)).one()
        assert first.adoptable == []
        assert first.id not in session.scalars(select(Handover.submission_id)).all()
    publish(world, post_id)
    assert sent(world) == ["first", *PARTS]
    world.until(lambda: sum(not row["deleted"] for row in world.sandbox.posts()) == 1)


def test_two_threads_with_the_same_first_part_keep_their_own(world: World) -> None:
    world.sandbox.add_fault("reply_lost_after", route="POST /posts", times=1)
    ids = [make_thread(world, [part(name)], in_seconds=600) for name in ("mine", "yours")]
    world.until_all(PostState.STAGED, ids)
    publish(world, ids[0])
    assert sent(world) == ["first", "mine"]
    publish(world, ids[1])
    assert sorted(sent(world)) == ["first", "first", "mine", "yours"]


def test_a_thread_whose_later_part_fails_is_published_again_on_a_persons_word_alone(
    world: World,
) -> None:
    """On X, because a notification names the network, and there is one channel of that."""
    world.sandbox.add_fault("part_error", part=2, message="no links", notify_after=0)
    replies = {"who_can_reply_post": "everyone"}
    parts = [part(content) for content in PARTS]
    post_id = make_thread(world, parts, integration="int-x", identifier="x", settings=replies)
    world.until_all(PostState.FAILED, [post_id])
    post = world.post(post_id)
    assert (post.error_code, post.release_url is None) == ("thread_incomplete", False)
    assert "no links" in str(post.error_message)
    assert "error_in_postiz" in world.timeline(post_id)
    with pytest.raises(Conflict, match="confirm_not_published"):
        request_retry(world, post_id)
    assert sent(world) == ["first", "second"]
    world.sandbox.clear_faults()
    request_retry(world, post_id, confirmed=True)
    assert (world.post(post_id).release_url, world.post(post_id).published_at) == (None, None)
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sorted(sent(world)) == sorted(["first", "second", "first", *PARTS])


def test_a_thread_of_which_a_part_was_tried_again_says_that_it_may_be_whole(world: World) -> None:
    world.sandbox.add_fault("part_error", times=1, recover=0.2)
    post_id = whole(world)
    make_due(world, [post_id])
    world.until_all(PostState.FAILED, [post_id])
    post = world.post(post_id)
    assert post.error_code == "thread_incomplete"
    assert "later attempt" in str(post.error_message)
    assert sent(world) == ["first", *PARTS]


def test_a_thread_whose_first_part_fails_is_a_failure_like_any_other(world: World) -> None:
    world.sandbox.add_fault("publish_error", times=1, message="bad words", notify_after=0)
    post_id = whole(world)
    make_due(world, [post_id])
    world.until_all(PostState.FAILED, [post_id])
    assert world.post(post_id).error_code == "failed_in_postiz"
    assert sent(world) == []


def test_a_thread_that_is_under_way_is_too_late_to_cancel(world: World) -> None:
    world.sandbox.change_timing(part_minute=0.05)
    post_id = make_thread(world, [{**part("second"), "delay_minutes": 60}], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    make_due(world, [post_id])
    world.until(lambda: "first_part_published" in world.timeline(post_id))
    request_cancel(world, [post_id])
    world.until(lambda: "too_late_to_cancel" in world.timeline(post_id))
    world.until(lambda: len(world.sandbox.parts()) == 1)
    assert world.states([post_id]) == [PostState.SCHEDULED]
    assert sent(world) == ["first", "second"]


def edit(world: World, post_id: int, **values: Any) -> None:
    with world.database.transaction() as session:
        edits.edit_posts(session, {post_id: Edit(**values)})


def test_an_edited_thread_is_staged_anew_and_goes_out_as_edited(world: World) -> None:
    post_id = whole(world)
    world.until_all(PostState.STAGED, [post_id])
    image = make_medium(world, "acme", FILES.png())
    edit(world, post_id, thread=[part("other", image)])
    assert (world.post(post_id).thread, world.post(post_id).revision) == ([part("other", image)], 2)
    world.until_all(PostState.STAGED, [post_id])
    edit(world, post_id, content="new")
    publish(world, post_id)
    assert sent(world) == ["new", "other"]


def test_an_empty_thread_ends_it(world: World) -> None:
    post_id = whole(world)
    edit(world, post_id, thread=[])
    publish(world, post_id)
    assert sent(world) == ["first"]


def needed(world: World, *media_ids: int) -> set[int]:
    with world.database.transaction() as session:
        return media_use.find_needed_ids(session, media_ids)


def test_media_of_parts_are_needed_uploaded_and_waited_for(world: World) -> None:
    first, second, waiting = (
        make_medium(world, "acme", FILES.png() + bytes([number])) for number in range(3)
    )
    world.until(lambda: world.upload_state(first) == world.upload_state(second) == "uploaded")
    post_id = make_thread(world, [part("a", second), part("b")], media_ids=[first], in_seconds=600)
    assert needed(world, first, second, waiting) == {first, second}
    with world.database.transaction() as session:
        edit_values = {"edit": {"thread": [part("c", waiting)]}}
        session.execute(update(Post).where(Post.id == post_id).values(edit_values))
    assert needed(world, first, second, waiting) == {first, second, waiting}
    assert media_of_parts(world.post(post_id).thread) == [second]


def test_a_post_fails_if_the_medium_of_a_part_cannot_be_uploaded(world: World) -> None:
    image = make_medium(world, "acme", FILES.png())
    post_id = make_thread(world, [part("a", image)], in_seconds=600)
    with world.database.transaction() as session:
        upload.fail_waiting_posts(session, world.account().id, image, "no")
    assert world.post(post_id).error_code == "media_refused"


def test_a_post_waits_for_the_media_of_its_parts(world: World) -> None:
    image = make_medium(world, "acme", FILES.png())
    later = {"next_at": func.now() + timedelta(hours=1)}
    with world.database.transaction() as session:
        session.execute(update(AccountMedia).values(later))
    post_id = make_thread(world, [part("a", image)], in_seconds=600)
    world.until(lambda: bool(world.post(post_id).waits_for) or "staging" in world.timeline(post_id))
    assert "staging" not in world.timeline(post_id)
    with world.database.transaction() as session:
        session.execute(update(AccountMedia).values(next_at=func.now()))
    world.until_all(PostState.STAGED, [post_id])


def test_a_retried_thread_asks_for_the_media_of_its_parts(world: World) -> None:
    image = make_medium(world, "acme", FILES.png())
    post_id = make_thread(world, [part("a", image)], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    request_cancel(world, [post_id])
    world.until_all(PostState.CANCELLED, [post_id])
    with world.database.transaction() as session:
        session.execute(update(AccountMedia).values(state="failed"))
        cancel_retry.requeue_posts(session, [post_id], PostState.CANCELLED)
    assert world.upload_state(image) == "pending"
    publish(world, post_id)
    assert [len(row["media"]) for row in world.sandbox.parts()] == [1]
