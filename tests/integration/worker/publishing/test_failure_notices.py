"""What Postiz says about why it did not publish a post: its own words, and never another's."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from shared.accounts import channel_states
from shared.domain.networks.channel_states import ChannelState
from shared.domain.networks.failure_reasons import NONE_GIVEN, Notice
from shared.domain.publishing.states import PostState
from shared.models import Integration, Post
from shared.postiz.client import RemotePost
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.workers.world import World
from worker.accounts import remote_posts
from worker.publishing import track
from worker.publishing.failure_notices import FailureNotices

RECONNECT = "We couldn't post to mastodon for Masto Chan because you need to reconnect it."
REFRESH = "Could not refresh your mastodon channel . Please go back to the system"
REFUSED = "An error occurred while posting on mastodon: too long"


@pytest.fixture
def post_id(world: World) -> int:
    """Of a post that stands in Postiz's calendar, in an account with one Mastodon channel."""
    make_profile(world, key=KEY)
    [post_id] = make_posts(world, "acme", ["to fail"], handoff="calendar", in_seconds=7 * 86_400)
    world.until_all(PostState.SCHEDULED, [post_id])
    with world.database.transaction() as session:
        twin = update(Integration).where(Integration.id == "int-tired")
        session.execute(twin.values(identifier="lemmy"))
    return post_id


def see_error(world: World, post_id: int, *says: str, ago: float = 0) -> Post:
    """A look sees ERROR, and these notifications, written so many seconds ago."""
    with world.database.transaction() as session:
        session.execute(update(Post).values(track_at=func.now()))
    due = [Post.state == PostState.SCHEDULED]
    [subject] = remote_posts.claim_subjects(
        world.runtime, world.account().id, due, lease_column="track_at"
    )
    now = datetime.now(UTC)
    seen = RemotePost(
        id=subject.postiz_id,
        state="ERROR",
        publish_at=now,
        content="",
        integration_id="int-mastodon",
        release_url=None,
    )
    rows = [Notice(content=text, created_at=now - timedelta(seconds=ago)) for text in says]
    track.track_post(world.runtime, subject, seen, Said(world, rows))
    return world.post(post_id)


class Said(FailureNotices):
    """Postiz's notifications, as given."""

    def __init__(self, world: World, rows: list[Notice]) -> None:
        super().__init__(world.runtime)
        self._rows = rows

    def read(self, one: remote_posts.Subject) -> list[Notice]:
        return self._rows


def let_it_be_final(world: World) -> None:
    earlier = timedelta(seconds=world.settings.error_final_seconds)
    with world.database.transaction() as session:
        session.execute(update(Post).values(error_at=Post.error_at - earlier))


def test_a_reason_that_comes_after_the_error_is_found_at_a_later_look(
    world: World, post_id: int
) -> None:
    first = see_error(world, post_id)
    assert (first.error_code, first.error_message) == (NONE_GIVEN.code, NONE_GIVEN.message)
    assert "Postiz gave no reason" in (first.error_message or "")
    later = see_error(world, post_id, REFUSED)
    assert later.error_message == f"Postiz says: {REFUSED}"
    assert later.error_at == first.error_at


def test_a_reason_that_was_found_is_kept_at_the_end(world: World, post_id: int) -> None:
    see_error(world, post_id, REFUSED)
    let_it_be_final(world)
    ended = see_error(world, post_id, RECONNECT)
    assert ended.state == PostState.FAILED
    assert ended.error_message == f"Postiz says: {REFUSED}"
    assert world.timeline(post_id).count("error_in_postiz") == 1


def test_old_news_and_those_of_others_are_no_reason(world: World, post_id: int) -> None:
    with world.database.transaction() as session:
        session.execute(update(Integration).values(identifier="mastodon"))
    see_error(world, post_id, RECONNECT, ago=3600)
    see_error(world, post_id, REFUSED)  # there are several channels of that network
    let_it_be_final(world)
    ended = see_error(world, post_id, RECONNECT.replace("Masto Chan", "X Chan"))
    assert (ended.state, ended.error_message) == (PostState.FAILED, NONE_GIVEN.message)


def channel_state(world: World) -> str:
    with world.database.transaction() as session:
        return session.scalars(
            select(Integration.state).where(Integration.id == "int-mastodon")
        ).one()


def test_a_channel_that_was_connected_again_is_not_blamed_for_the_same_failure(
    world: World, post_id: int
) -> None:
    failed = see_error(world, post_id, REFRESH)
    assert (failed.state, failed.error_code) == (PostState.SCHEDULED, "reconnect_channel")
    assert channel_state(world) == ChannelState.RECONNECT_NEEDED
    with world.database.transaction() as session:
        channel_states.mark_ready(session, world.account().id, ["int-mastodon"])
    see_error(world, post_id, REFRESH)
    let_it_be_final(world)
    assert see_error(world, post_id, REFRESH).state == PostState.FAILED
    assert channel_state(world) == ChannelState.READY


@pytest.mark.parametrize("state", ["scheduled", "releasing", "cancelling", "cancelled", "failed"])
def test_a_refusal_that_names_another_post_too_is_left_to_a_person(
    world: World, post_id: int, state: str
) -> None:
    [other] = make_posts(world, "acme", ["under way"])
    now = func.now()
    begun = {"state": state, "released_at": now, "publish_at": now, "error_at": now}
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == other).values({**begun, "updated_at": now}))
    assert see_error(world, post_id, RECONNECT).state == PostState.SCHEDULED
    assert see_error(world, post_id, RECONNECT, RECONNECT).state == PostState.RESCHEDULING
