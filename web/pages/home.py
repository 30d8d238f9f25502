"""Home: what needs me, and what goes out next."""

from flask import Response
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.accounts import holds, server_health
from shared.accounts.holds import HeldProfile
from shared.domain.publishing.server_verdicts import Verdict
from shared.overview import needs, next_posts
from web.auth import current_caller
from web.pages.layout import create_reader_blueprint, show
from web.serializers.rows import post_list
from web.services import current_services

pages = create_reader_blueprint("home_pages")

#: Posts that go out next.
NEXT = 10


@pages.get("/")
def show_home() -> Response:
    visible = current_caller().visible
    with current_services().database.transaction() as session:
        health = server_health.read_health(session, visible)
        return show(
            "home.html",
            title="What needs me",
            path="/",
            held=_list_held(session, visible),
            channels=needs.list_channels(session, visible),
            servers=[server for server in health if server.verdict is not Verdict.WELL],
            failures=needs.list_failures(session, visible),
            waiting=needs.list_waiting(session, visible),
            posts=post_list(session, next_posts.list_next_posts(session, visible, limit=NEXT)),
        )


def _list_held(session: Session, visible: VisibleProfiles) -> list[HeldProfile]:
    own = None if visible.ids is None else sorted(visible.ids)
    return holds.list_held(session, profile_ids=own)[: needs.SHOWN]
