"""A row that no step can work with waits and ends with words, and never stops what is behind it."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
from sqlalchemy import func, select, update

from shared.domain.publishing.retry_limits import UNFORESEEN
from shared.domain.publishing.states import PostState
from shared.errors import OutcomeUnknown, PressroomError
from shared.metrics import CONTAINED
from shared.models import AccountMedia, Handover, Media, Post, Submission
from shared.postiz.client import Postiz, RemotePost
from shared.posts import cancel_retry
from shared.profiles.credential_ref import CredentialRef
from shared.profiles.publisher_cache import Publisher, Publishers
from tests.factories.drafts import make_stray_draft
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts
from tests.workers.world import World
from worker.accounts import postiz_call
from worker.accounts.defects import blame_post, for_account

#: A day around this date cannot be reckoned with.
END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, 7000, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("a_profile")


def contained(where: str) -> float:
    [family] = CONTAINED.collect()
    return sum(
        sample.value
        for sample in family.samples
        if sample.labels.get("where") == where and sample.name.endswith("_total")
    )


def spoil(world: World, post_id: int, **values: object) -> None:
    """Its handover is one that no step can work with; the post is the first in every line."""
    with world.database.transaction() as session:
        of_post = Handover.post_id == post_id
        if values:
            session.execute(update(Handover).where(of_post).values(values))
        long_ago = func.now() - timedelta(minutes=10)
        first = {"lease_until": long_ago, "track_at": long_ago, "release_at": long_ago}
        session.execute(update(Post).where(Post.id == post_id).values(first))


def has_waited(world: World, post_id: int) -> None:
    """It waits with words, was not sent, and has rested nobody else."""
    post = world.post(post_id)
    assert (post.error_code, "own" in (post.error_message or "")) == ("internal_error", True)
    assert post.attempts >= 1
    assert "internal_error" in world.timeline(post_id)
    assert world.account().failures == 0


def two(world: World, state: PostState = PostState.STAGED) -> tuple[int, int]:
    """A post that will be spoilt, and one behind it."""
    bad = make_posts(world, "acme", ["bad"], in_seconds=600)
    good = make_posts(world, "acme", ["good"], in_seconds=900)
    world.until_all(state, [*bad, *good])
    return bad[0], good[0]


def test_staging_goes_on_behind_a_post_that_cannot_be_put_into_words(world: World) -> None:
    before = contained("element")
    bad = make_posts(world, "acme", ["bad"])
    good = make_posts(world, "acme", ["good"])
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == bad[0]).values(settings=["no object"]))
    world.until_all(PostState.PUBLISHED, good)
    assert contained("element") > before
    has_waited(world, bad[0])
    assert world.states(bad) == [PostState.PENDING]


def test_a_release_goes_on_behind_a_draft_that_has_no_id(world: World) -> None:
    bad, good = two(world)
    make_due(world, [bad, good])
    spoil(world, bad, released_at=func.now())
    world.until_all(PostState.PUBLISHED, [good])
    has_waited(world, bad)
    assert world.states([bad]) == [PostState.STAGED]
    assert [send["content"] for send in world.sandbox.sends()] == ["good"]


def test_unclear_releases_are_settled_behind_one_that_cannot_be_looked_at(world: World) -> None:
    bad, good = two(world)
    for post_id in (bad, good):
        make_due(world, [post_id])
        world.claim_release()
    spoil(world, bad, marker_at=END_OF_TIME)
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == good).values(lease_until=func.now()))
    world.until(lambda: world.states([good]) != [PostState.RELEASING])
    has_waited(world, bad)
    assert world.states([bad]) == [PostState.RELEASING]


def test_releases_are_parked_behind_one_that_cannot_be_put_into_words(world: World) -> None:
    bad, good = two(world)
    for post_id in (bad, good):
        make_due(world, [post_id])
        world.claim_release()
    spoil(world, bad)
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == bad).values(settings=["no object"]))
        session.execute(update(Post).where(Post.id == good).values(lease_until=func.now()))
    world.until_all(PostState.PUBLISHED, [good])
    assert "parked" in world.timeline(good)
    has_waited(world, bad)
    assert world.states([bad]) == [PostState.RELEASING]


def test_posts_are_followed_behind_one_that_cannot_be_looked_at(world: World) -> None:
    bad = make_posts(world, "acme", ["bad"], handoff="calendar", in_seconds=3600)
    good = make_posts(world, "acme", ["good"], handoff="calendar", in_seconds=3700)
    world.until_all(PostState.SCHEDULED, [*bad, *good])
    spoil(world, bad[0], marker_at=END_OF_TIME)
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == good[0]).values(track_at=func.now()))
    seen_last = world.post(good[0]).claim
    world.until(lambda: world.post(good[0]).claim != seen_last)
    has_waited(world, bad[0])
    assert world.states(bad) == [PostState.SCHEDULED]


def test_posts_are_taken_back_behind_one_that_cannot_be_looked_at(world: World) -> None:
    bad, good = two(world)
    with world.database.transaction() as session:
        cancel_retry.cancel_posts(session, [bad, good])
    spoil(world, bad, marker_at=END_OF_TIME)
    world.until_all(PostState.CANCELLED, [good])
    has_waited(world, bad)
    assert world.states([bad]) == [PostState.CANCELLING]


def test_a_post_that_has_no_id_in_postiz_says_so(world: World) -> None:
    """It would be claimed again and again, without a word."""
    bad, _ = two(world)
    make_due(world, [bad])
    world.claim_release()
    spoil(world, bad, buried_at=func.now())
    world.until(lambda: world.post(bad).error_code == "internal_error")
    assert "no id in Postiz" in (world.post(bad).error_message or "")


def test_litter_is_deleted_behind_a_window_that_cannot_be_looked_at(world: World) -> None:
    bad = make_stray_draft(world, "bad")
    make_stray_draft(world, "good")
    break_window(world, bad)
    world.until(lambda: dates(world) == {bad})
    with world.database.transaction() as session:
        tried = select(Submission.litter_tries).where(Submission.marker_at == bad)
        assert session.scalars(tried).one() > 0
    assert world.account().failures == 0


def dates(world: World) -> set[datetime]:
    alive = [post for post in world.sandbox.posts() if not post["deleted"]]
    return {datetime.fromisoformat(post["publish_date"]) for post in alive}


@dataclass
class _Broken(Postiz):
    """An adapter with a defect, which shows with one window."""

    broken: datetime = END_OF_TIME

    def window(self, start: datetime, end: datetime) -> list[RemotePost]:
        if start == self.broken:
            raise KeyError(start)
        return super().window(start, end)


def break_window(world: World, broken: datetime) -> None:
    build = world.runtime.publishers._build

    def build_broken(profile_id: str) -> Publisher:
        made = build(profile_id)
        named = {one.name: getattr(made.postiz, one.name) for one in fields(Postiz) if one.init}
        return replace(made, postiz=_Broken(**named, broken=broken))

    world.runtime.publishers = Publishers(build_broken)


def standing(world: World, content: str) -> int:
    return sum(post["content"] == content and not post["deleted"] for post in world.sandbox.posts())


def test_an_upload_that_cannot_be_made_ends_with_words_and_stops_no_other(world: World) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(2000)
    bad, good = make_medium(world, "acme", picture), make_medium(world, "acme", picture + b"more")
    with world.database.transaction() as session:
        session.execute(update(Media).where(Media.id == bad).values(mime="nonsense"))
    world.until(lambda: world.upload_state(good) == "uploaded")
    world.until(lambda: attempts_of(world, bad) > 0)
    assert world.account().failures == 0
    with world.database.transaction() as session:
        values = {"attempts": 9, "next_at": func.now()}
        session.execute(update(AccountMedia).where(AccountMedia.media_id == bad).values(values))
    world.until(lambda: world.upload_state(bad) == "failed")


def attempts_of(world: World, media_id: int) -> int:
    with world.database.transaction() as session:
        query = select(AccountMedia.attempts).where(AccountMedia.media_id == media_id)
        return session.scalars(query).one()


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (PostState.PENDING, "internal_error"),
        (PostState.STAGED, "internal_error"),
        (PostState.RELEASING, "outcome_unknown"),
        (PostState.CANCELLING, "outcome_unknown"),
        (PostState.SCHEDULED, "outcome_unknown"),
    ],
)
def test_after_so_many_tries_it_ends_with_words(world: World, state: PostState, code: str) -> None:
    """What may be on the network is left to a person, and never sent again."""
    ids = make_posts(world, "acme", ["bad"], in_seconds=600)
    with world.database.transaction() as session:
        session.execute(update(Post).values(state=state, claim=7))
        for _ in range(UNFORESEEN.most):
            blame_post(session, ids[0], "KeyError", claim=6)  # of one who has lost it
            blame_post(session, ids[0], "KeyError", claim=7)
    post = world.post(ids[0])
    assert (post.state, post.error_code) == (PostState.FAILED, code)
    assert "KeyError" in (post.error_message or "")
    assert world.timeline(ids[0]).count("internal_error") == UNFORESEEN.most - 1


def test_an_account_whose_work_fails_rests_and_the_next_is_served(world: World) -> None:
    @for_account("serve")
    def serve(_runtime: object, account_id: int) -> None:
        raise KeyError(account_id)

    before = contained("serve")
    serve(world.runtime, world.account().id)
    assert contained("serve") == before + 1
    assert world.account().failures == 1
    assert world.account().retry_at is not None


def test_an_error_within_a_call_is_an_unknown_outcome(world: World) -> None:
    """Nobody knows whether it left: never charged as not sent, never repeated."""

    def fails(_: object) -> NoReturn:
        raise KeyError("missing")

    def call(make: Callable[[Postiz], object]) -> PressroomError:
        credentials = CredentialRef(
            profile_id="acme", version=1, account_id=world.account().id, key_hash=None
        )
        with pytest.raises(PressroomError) as caught:
            postiz_call.make_call(world.runtime, credentials, make)
        return caught.value

    error = call(fails)
    assert isinstance(error, OutcomeUnknown)
    assert error.code == "internal_error"
    assert isinstance(error.__cause__, KeyError)
