"""An older backup is restored: what Postiz has got since is never sent again."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from local.postgres import Postgres
from shared.approvals import decisions
from shared.db import sqlalchemy_url
from shared.domain.publishing.reconciliation import DELETED
from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Job, Post, Schedule, ScheduleRun, Submission
from shared.posts import cancel_retry, edits, late_policy, transitions
from shared.posts.edits import Edit
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.world import World
from worker import settle
from worker.publishing import restore_account

Restore = Callable[[], None]


@pytest.fixture
def backup(world: World, postgres: Postgres, database_url: str) -> Callable[[], Restore]:
    """Makes a backup; what it returns restores it, as if nothing had been committed since."""
    name = database_url.rsplit("/", 1)[1]

    def make() -> Restore:
        world.database.close()
        postgres.create_database(f"{name}_backup", template=name)

        def restore() -> None:
            world.database.close()
            postgres.drop_database(name)
            postgres.create_database(name, template=f"{name}_backup")
            postgres.drop_database(f"{name}_backup")
            world.runtime.publishers.reset()
            waiting_tasks(world.runtime).clear()

        return restore

    return make


def sends(world: World) -> Counter[str]:
    return Counter(send["content"] for send in world.sandbox.sends())


def states(world: World, ids: Sequence[int]) -> Counter[str]:
    return Counter(str(state) for state in world.states(ids))


def settled(world: World) -> restore_account.Outcome:
    [outcome] = settle.check_restored_accounts(world.runtime, patience=0).values()
    assert isinstance(outcome, restore_account.Outcome), outcome
    return outcome


def come(world: World, ids: Sequence[int]) -> None:
    """Their time, which no slow machine had reached before."""
    now = datetime.now(UTC)
    with world.database.transaction() as session:
        due = update(Post).where(Post.id.in_(ids))
        session.execute(due.values(publish_at=now, release_at=now))


@pytest.fixture
def story(world: World, backup: Callable[[], Restore]) -> list[int]:
    """Posts of which the backup knows this or that; all were published before it was restored."""
    make_profile(world, key=KEY)
    published = make_posts(world, "acme", ["published before"])
    world.until_all(PostState.PUBLISHED, published)
    staged = make_posts(world, "acme", ["staged a", "staged b"], in_seconds=3600)
    world.until_all(PostState.STAGED, staged)
    pending = make_posts(world, "acme", ["pending a", "pending b <b>&</b>"])
    calendar = make_posts(
        world, "acme", ["same words", "same words"], handoff="calendar", in_seconds=6
    )
    restore = backup()
    ids = [*published, *staged, *pending, *calendar]
    come(world, staged)
    world.until_all(PostState.PUBLISHED, ids)
    restore()
    come(world, staged)
    assert states(world, ids) == {"published": 1, "staged": 2, "pending": 4}
    return ids


def test_what_was_published_since_is_not_sent_again(world: World, story: list[int]) -> None:
    """And an account that cannot be read stays held until it can."""
    before = sends(world)
    assert set(before.values()) == {1, 2}
    world.sandbox.add_fault("error_500_before", route="GET /posts")
    [reason] = settle.check_restored_accounts(world.runtime, patience=0).values()
    assert isinstance(reason, str)
    assert world.account().paused
    world.sandbox.clear_faults()
    outcome = settled(world)
    assert (outcome.found, outcome.unclear) == (6, 0)
    world.until_all(PostState.PUBLISHED, story)
    assert sends(world) == before
    assert world.account().paused is False
    assert "found_in_postiz" in world.timeline(story[-1])


def test_without_settling_it_would_be(world: World, backup: Callable[[], Restore]) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["one"])
    restore = backup()
    world.until_all(PostState.PUBLISHED, ids)
    restore()
    world.until_all(PostState.PUBLISHED, ids)
    assert sends(world) == {"one": 2}


def test_what_was_let_go_since_is_not_let_go_again(
    world: World, backup: Callable[[], Restore]
) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["late"])
    with world.database.transaction() as session:
        late_policy.hold_late_posts(session, ids, PostState.PENDING)
    restore = backup()
    with world.database.transaction() as session:
        cancel_retry.release_held(session, ids)
    world.until_all(PostState.PUBLISHED, ids)
    restore()
    assert world.states(ids) == [PostState.HELD]
    assert settled(world).found == 1
    world.until_all(PostState.PUBLISHED, ids)
    assert sends(world) == {"late": 1}


def test_what_was_approved_since_is_not_sent_again(
    world: World, backup: Callable[[], Restore]
) -> None:
    make_profile(world, key=KEY)
    published, still = make_posts(world, "acme", ["approved", "still waiting"])
    with world.database.transaction() as session:
        session.execute(update(Post).values(requires_approval=True))
        transitions.ask_for_approval(session, [published, still])
    restore = backup()
    with world.database.transaction() as session:
        decisions.approve_post(session, session.get_one(Post, published), by="a test")
    world.until_all(PostState.PUBLISHED, [published])
    restore()
    waiting = PostState.WAITING_APPROVAL
    assert world.states([published, still]) == [waiting, waiting]
    assert settled(world).found == 1
    world.until_all(PostState.PUBLISHED, [published])
    assert world.states([still]) == [waiting]
    assert sends(world) == {"approved": 1}


def edit(world: World, post_id: int, **values: Any) -> None:
    with world.database.transaction() as session:
        session.get_one(Post, post_id, with_for_update=True)
        edits.edit_posts(session, {post_id: Edit(**values)})


@pytest.mark.parametrize("is_noted", [True, False])
def test_what_was_taken_back_and_handed_over_anew_since_is_not_sent_again(
    world: World, backup: Callable[[], Restore], *, is_noted: bool
) -> None:
    """In the backup it is being deleted in Postiz, and what it is to say waits beside it. Postiz
    lists neither the old post, nor one that looks like it."""
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["as it was"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, ids)
    edit(world, ids[0], content="as edited", publish_at=datetime.now(UTC))
    assert world.states(ids) == [PostState.RESCHEDULING]
    if is_noted:  # the delete was sent when the backup was made
        with world.database.transaction() as session:
            session.execute(update(Handover).values(state=DELETED))
    restore = backup()
    world.until_all(PostState.PUBLISHED, ids)
    restore()
    assert world.states(ids) == [PostState.RESCHEDULING]
    assert settled(world).found == 1
    world.until_all(PostState.PUBLISHED, ids)
    assert world.post(ids[0]).content == "as edited"
    assert sends(world) == {"as edited": 1}


def test_what_was_deleted_since_to_be_edited_again_is_left_to_a_person(
    world: World, backup: Callable[[], Restore]
) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["as it was"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, ids)
    edit(world, ids[0], content="as edited")
    with world.database.transaction() as session:
        session.execute(update(Handover).values(state=DELETED))
    restore = backup()
    edit(world, ids[0], content="as edited once more", publish_at=datetime.now(UTC))
    world.until_all(PostState.PUBLISHED, ids)
    restore()
    assert settled(world).unclear == 1
    assert world.post(ids[0]).error_code == "outcome_unknown"
    assert sends(world) == {"as edited once more": 1}


def test_what_was_edited_and_published_since_is_left_to_a_person(
    world: World, backup: Callable[[], Restore]
) -> None:
    """It looks like no post of ours; one of another channel, and one for later, go on."""
    make_profile(world, key=KEY)
    [edited] = make_posts(world, "acme", ["as it was"])
    [later] = make_posts(world, "acme", ["later"], handoff="calendar", in_seconds=30 * 86_400)
    with world.database.transaction() as session:
        session.execute(update(Job).values(paused=True))
    [other] = make_posts(world, "acme", ["elsewhere"], integration="int-x", identifier="x")
    with world.database.transaction() as session:
        session.execute(update(Job).where(Job.id == world.post(other).job_id).values(paused=True))
    restore = backup()
    edit(world, edited, content="as edited")
    with world.database.transaction() as session:
        session.execute(update(Job).where(Job.id == world.post(edited).job_id).values(paused=False))
        session.execute(update(Post).values(waits_for=""))
    world.until_all(PostState.PUBLISHED, [edited])
    restore()
    assert settled(world).unclear == 1
    assert world.post(edited).error_code == "outcome_unknown"
    assert world.states([later, other]) == [PostState.PENDING, PostState.PENDING]
    assert sends(world) == {"as edited": 1}


def test_posts_that_look_alike_are_left_to_a_person(
    world: World, backup: Callable[[], Restore]
) -> None:
    """Two clips under one caption; Postiz has one of them and does not say which."""
    make_profile(world, key=KEY)
    clips = [make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes([n]) * 50) for n in range(2)]
    world.until(lambda: all(world.upload_state(clip) == "uploaded" for clip in clips))
    first = make_posts(world, "acme", ["#shorts"], media_ids=[clips[0]])
    second = make_posts(world, "acme", ["#shorts"], media_ids=[clips[1]], in_seconds=20 * 3600)
    with world.database.transaction() as session:  # so that only the first is staged
        session.execute(update(Post).where(Post.id.in_(second)).values(handoff="calendar"))
        day = text("publish_at + interval '20 days'")
        session.execute(update(Post).where(Post.id.in_(second)).values(publish_at=day))
    restore = backup()
    world.until_all(PostState.PUBLISHED, first)
    restore()
    outcome = settled(world)
    assert (outcome.found, outcome.unclear) == (0, 2)
    for post_id in (*first, *second):
        assert world.post(post_id).error_code == "outcome_unknown"
    assert sends(world) == {"#shorts": 1}
    with world.database.transaction() as session:  # a retry asks for a person's word
        query = select(Handover.post_id).where(Handover.released_at.is_not(None))
        released = session.scalars(query)
        assert set(released) == {*first, *second}


def test_drafts_that_nobody_remembers_are_removed_and_staged_once_more(
    world: World, backup: Callable[[], Restore]
) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["one", "two"], in_seconds=3600)
    restore = backup()
    world.until_all(PostState.STAGED, ids)
    restore()
    assert settled(world).litter == 2
    come(world, ids)
    world.until_all(PostState.PUBLISHED, ids)
    assert sends(world) == {"one": 1, "two": 1}

    def no_drafts() -> bool:
        posts = world.sandbox.posts()
        return not any(post["state"] == "DRAFT" and not post["deleted"] for post in posts)

    world.until(no_drafts)


def test_calls_that_were_forgotten_are_charged(world: World, backup: Callable[[], Restore]) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["one"])
    restore = backup()
    world.until_all(PostState.PUBLISHED, ids)
    restore()
    settled(world)
    account = world.account()
    assert account.budget_used >= 1
    assert account.window_ends_at is not None
    assert account.window_ends_at > datetime.now(UTC)


def test_fire_times_that_may_have_run_do_not_run_again(world: World) -> None:
    make_profile(world, key=KEY)
    with world.database.transaction() as session:
        session.add(
            Schedule(
                profile_id="acme",
                name="daily",
                cron="* * * * *",
                timezone="UTC",
                kind="bulk",
                body={},
                items=1,
                media_ids=[],
                misfire_grace_seconds=3600,
                next_fire_at=datetime.now(UTC) - timedelta(minutes=10),
            )
        )
    settled(world)
    with world.database.transaction() as session:
        runs = session.scalars(select(ScheduleRun)).all()
        assert {run.state for run in runs} == {"missed"}
        assert {run.error_message for run in runs} == {"An older backup was restored"}
        [next_fire_at] = session.scalars(select(Schedule.next_fire_at))
    assert next_fire_at is not None
    assert next_fire_at > datetime.now(UTC) - timedelta(seconds=30)


def test_a_pause_of_the_users_own_outlives_it(world: World) -> None:
    make_profile(world, key=KEY)
    with world.database.transaction() as session:
        session.execute(update(Account).values(paused=True))
    settle.set_restore_lock(world.database)  # and died
    settled(world)
    assert world.account().paused


def test_a_call_that_was_under_way_is_given_up(world: World, backup: Callable[[], Restore]) -> None:
    """The backup was made while drafts were created: they are litter, the posts staged anew."""
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["in the middle"], in_seconds=3600)
    world.until_all(PostState.STAGED, ids)
    with world.database.transaction() as session:
        session.execute(text("DELETE FROM handovers"))
        session.execute(update(Submission).values(state="sending", replied_at=None))
        session.execute(update(Post).values(state="staging", postiz_post_id=None, release_at=None))
    assert settled(world).litter == 1
    come(world, ids)
    world.until_all(PostState.PUBLISHED, ids)
    assert sends(world) == {"in the middle": 1}


def test_it_refuses_to_run_beside_others(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_profile(world, key=KEY)
    for name, value in {
        "DATABASE_URL": sqlalchemy_url(database_url).replace("+psycopg2", ""),
        "PRESSROOM_SECRET_KEYS": world.settings.secret_keys[0].get_secret_value(),
        "PRESSROOM_UNKNOWN_RELEASE_SECONDS": "0",
        "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert settle.main() == 2
    assert not world.account().paused
    world.database.close()
    assert settle.main() == 0
