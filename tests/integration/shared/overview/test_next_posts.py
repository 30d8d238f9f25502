"""What goes out next, among many posts: the first by their times, found through indexes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import and_, func, or_, select, update

from shared.access.visible_profiles import VisibleProfiles
from shared.db import Database
from shared.models import Post
from shared.overview.next_posts import list_next_posts
from tests.scenarios.crowd import plans, tidy
from tests.scenarios.long_lists import fill_a_year
from tests.servers.settings import make_settings

LIMIT = 12


@pytest.fixture(scope="module")
def database(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str
) -> Iterator[Database]:
    """Of what is to come a third stands in Postiz's calendar, and so does what is late there."""
    settings = make_settings(module_database_url, tmp_path_factory.mktemp("many"))
    made = Database.connect(settings)
    fill_a_year(made, posts=30_000)
    in_calendar = {"state": "scheduled", "handoff": "calendar", "release_at": None}
    with made.transaction() as session:
        coming = Post.position % 3 == 0, Post.state.in_(["pending", "staged"])
        late = and_(Post.position % 100 == 0, Post.state == "published")
        session.execute(update(Post).where(or_(and_(*coming), late)).values(in_calendar))
    tidy(made)
    yield made
    made.close()


@pytest.mark.parametrize("visible", [VisibleProfiles(None), VisibleProfiles.only(["client-3"])])
def test_what_is_first_comes_first_wherever_it_stands(
    database: Database, visible: VisibleProfiles
) -> None:
    coming = Post.state.in_(["pending", "staged", "scheduled"]), Post.publish_at > func.now()
    first = select(Post.id).where(visible.condition(Post), *coming)
    with database.reading() as session:
        expected = session.scalars(first.order_by(Post.publish_at, Post.id).limit(LIMIT)).all()
        found = list_next_posts(session, visible, limit=LIMIT)
        assert [post.id for post in found] == expected
        assert {post.state for post in found} == {"pending", "staged", "scheduled"}


def test_each_is_found_through_an_index_of_its_own(database: Database) -> None:
    def look() -> None:
        with database.reading() as session:
            list_next_posts(session, VisibleProfiles(None), limit=LIMIT)

    pending, staged, in_calendar, _ = plans(database, look).values()
    assert "ix_posts_pending_profile" in pending
    assert "ix_posts_staged" in staged
    assert "ix_posts_in_calendar" in in_calendar, in_calendar
