"""Home: what needs me, what goes out next, and how it goes."""

from collections.abc import Sequence

from flask import Response
from markupsafe import Markup
from sqlalchemy.orm import Session

from shared import db
from shared.access.visible_profiles import VisibleProfiles
from shared.accounts import budget_queries, holds, server_health
from shared.accounts.budget_queries import AccountRead
from shared.accounts.holds import HeldProfile
from shared.domain.publishing.server_verdicts import Verdict
from shared.overview import activity, needs, next_posts
from shared.overview.activity import Hour
from shared.profiles import listing
from web.auth import current_caller
from web.pages import charts
from web.pages.charts import Part
from web.pages.layout import create_reader_blueprint, show
from web.pages.posts import name_clips
from web.serializers.rows import post_list
from web.services import current_services

pages = create_reader_blueprint("home_pages")

#: Posts that go out next, and accounts whose budgets are shown.
NEXT, ACCOUNTS = 10, 12


@pages.get("/")
def show_home() -> Response:
    visible = current_caller().visible
    with current_services().database.transaction() as session:
        seen_at = db.read_certain_moment(session)  # before what is seen
        health = server_health.read_health(session, visible)
        hours = activity.read_hours(session, visible)
        accounts = budget_queries.read_profile_accounts(
            session, visible, after=None, limit=ACCOUNTS
        )
        posts = post_list(session, next_posts.list_next_posts(session, visible, limit=NEXT))
        held = _list_held(session, visible)
        waiting = needs.list_waiting(session, visible)
        shared_by = [name for read in accounts for name in read.profile_ids]
        rows = [row.profile_id for rows in (posts, held, waiting) for row in rows]
        return show(
            "home.html",
            title="What needs me",
            path="/",
            held=held,
            channels=needs.list_channels(session, visible),
            servers=[server for server in health if server.verdict is not Verdict.WELL],
            failures=needs.list_failures(session, visible),
            waiting=waiting,
            now=db.read_clock(session),
            seen_at=seen_at,
            posts=posts,
            clips=name_clips(session, posts),
            names=listing.names_of(session, [*rows, *shared_by]),
            published=activity.count_published(hours),
            is_bounded=any(hour.published >= activity.MOST for hour in hours),
            hours=hours,
            throughput=_draw_throughput(hours),
            lateness=_draw_lateness(hours),
            accounts=[(read, *_draw_account(read, accounts)) for read in accounts],
        )


def _list_held(session: Session, visible: VisibleProfiles) -> list[HeldProfile]:
    own = None if visible.ids is None else sorted(visible.ids)
    return holds.list_held(session, profile_ids=own)[: needs.SHOWN]


def _draw_throughput(hours: Sequence[Hour]) -> Markup:
    values = [(f"{hour.since:%H:%M} UTC: {hour.published}", hour.published) for hour in hours]
    most = max(hour.published for hour in hours)
    return charts.draw_columns("Posts published in each hour", f"at most {most}", values)


def _draw_lateness(hours: Sequence[Hour]) -> Markup:
    values = [(f"{hour.since:%H:%M} UTC: {hour.usual:.0f} s", hour.usual) for hour in hours]
    worst = max(hour.worst for hour in hours)
    return charts.draw_columns(
        "Median lateness in each hour", f"the latest post was {worst:.0f} seconds late", values
    )


def _draw_account(read: AccountRead, others: Sequence[AccountRead]) -> tuple[str, Markup, Markup]:
    """The budget in words, and as a bar; the backlog as a bar beside those of the others."""
    most = budget_queries.budget_state(read.account).most
    left = budget_queries.budget_remaining(read.account, read.now)
    if most is None or left is None:
        words, used, whole = "Its budget is not known before its first call", 0, 0
    else:
        words, used, whole = f"{left} of {most} calls left in this hour", most - left, most
    kind = "wrong" if whole and used >= whole else "going"
    largest = max(1, *(other.backlog for other in others))
    return (
        words,
        charts.draw_bar("Calls used", words, [Part(value=used, kind=kind)], whole=whole),
        charts.draw_bar(
            "Backlog",
            f"{read.backlog} posts",
            [Part(value=read.backlog, kind="going")],
            whole=largest,
        ),
    )
