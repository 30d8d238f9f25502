"""Who wakes and who claims ask the same: what nobody can take is woken for by nobody."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update

from shared.accounts import holds
from shared.domain.publishing.states import PostState
from shared.models import Account, AccountMedia, Hold, Post, Profile, Submission
from shared.posts import cancel_retry, transitions
from tests.factories.drafts import make_stray_draft
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import lose_secret_key
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.world import World
from worker import sweep

pytestmark = pytest.mark.usefixtures("a_profile")


def woken(world: World) -> set[tuple[str, int]]:
    """What a sweep and a tick ask for; nobody does it."""
    waiting = waiting_tasks(world.runtime)
    waiting.clear()
    sweep.run_sweep(world.runtime)
    sweep.run_tick(world.runtime)
    found = set(waiting)
    waiting.clear()
    return found


def task_of(kind: str) -> str:
    return kind.split(maxsplit=1)[0]


def now_due(world: World) -> None:
    """Whatever there is, it is due for a look."""
    with world.database.transaction() as session:
        tracked = update(Post).where(Post.track_at.is_not(None))
        session.execute(tracked.values(track_at=func.now()))
        session.execute(update(Post).values(lease_until=func.now()))
        litter = update(Submission).where(Submission.litter_at.is_not(None))
        session.execute(litter.values(litter_at=func.now()))
        session.execute(update(Account).values(plan_at=None, retry_at=None, failures=0))


def pending(world: World) -> Callable[[], bool]:
    ids = make_posts(world, "acme", ["x"], in_seconds=600)
    return lambda: world.states(ids) == [PostState.STAGED]


def releasing(world: World) -> Callable[[], bool]:
    """By a worker that is gone."""
    ids = make_posts(world, "acme", ["x"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    make_due(world, ids)
    world.claim_release()
    return lambda: world.states(ids) != [PostState.RELEASING]


def scheduled(world: World) -> Callable[[], bool]:
    ids = make_posts(world, "acme", ["x"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, ids)
    seen_last = world.post(ids[0]).claim
    return lambda: world.post(ids[0]).claim != seen_last


def cancelling(world: World) -> Callable[[], bool]:
    ids = make_posts(world, "acme", ["x"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    with world.database.transaction() as session:
        cancel_retry.cancel_posts(session, ids)
    return lambda: world.states(ids) == [PostState.CANCELLED]


def abandoned(world: World) -> Callable[[], bool]:
    make_stray_draft(world)
    return lambda: drafts(world) == []


def discarded(world: World) -> Callable[[], bool]:
    ids = make_posts(world, "acme", ["x"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    with world.database.transaction() as session:
        transitions.retire_handovers(session, ids, "of the test", discard=True)
        transitions.fail_posts(session, ids, PostState.STAGED, code="x", message="x")
    return lambda: drafts(world) == []


def drafts(world: World) -> list[str]:
    return [post["id"] for post in world.sandbox.posts() if not post["deleted"]]


def uploading(world: World) -> Callable[[], bool]:
    medium = make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes(2000))
    return lambda: world.upload_state(medium) == "uploaded"


def upload(world: World) -> int | None:
    """What its task is given instead of an account, while it is this account's."""
    with world.database.transaction() as session:
        own = AccountMedia.account_id == select(func.min(Account.id)).scalar_subquery()
        return session.scalar(select(AccountMedia.id).where(own))


def unknown(world: World) -> Callable[[], bool]:
    """An account of which nothing is known yet."""
    make_posts(world, "acme", ["x"], in_seconds=600)
    with world.database.transaction() as session:
        session.execute(update(Account).values(integrations_seen_at=None, base_url=None))
    return lambda: world.account().integrations_seen_at is not None


KINDS = {
    "pressroom.stage": pending,
    "pressroom.reconcile": releasing,
    "pressroom.track": scheduled,
    "pressroom.cancel": cancelling,
    "pressroom.litter": abandoned,
    "pressroom.litter of ids": discarded,
    "pressroom.upload": uploading,
    "pressroom.meet": unknown,
}


def refused(world: World) -> None:
    with world.database.transaction() as session:
        profile = session.scalars(select(Profile)).one()
        row = {"account_id": profile.account_id, "key_hash": profile.key_hash}
        session.add(Hold(**row, reason="credentials_rejected", message="refused"))


def unreadable(world: World) -> None:
    lose_secret_key(world, "acme")
    with world.database.transaction() as session:
        version = session.scalars(select(Profile.settings_version)).one()
        words = {"reason": "secret_unreadable", "message": "cannot be opened"}
        holds.hold_settings(session, "acme", version, **words)


def departed(world: World) -> None:
    """The profile has gone to another account, of which nothing is known yet."""
    with world.database.transaction() as session:
        account = Account(server="elsewhere", key_hash="another")
        session.add(account)
        session.flush()
        session.execute(update(Profile).values(account_id=account.id, key_hash="another"))


@pytest.mark.parametrize("trouble", [refused, unreadable, departed])
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_woken_for_what_no_key_can_do(
    world: World, kind: str, trouble: Callable[[World], None]
) -> None:
    KINDS[kind](world)
    account_id = world.account().id
    trouble(world)
    for _ in range(2):
        now_due(world)
        tasks = {task for task, subject in woken(world) if subject in {account_id, upload(world)}}
        assert task_of(kind) not in tasks


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_woken_for_is_taken(world: World, kind: str) -> None:
    done = KINDS[kind](world)
    now_due(world)
    assert task_of(kind) in {task for task, _ in woken(world)}
    now_due(world)
    world.until(done)
