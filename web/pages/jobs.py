"""Jobs: how far each is, and why parts of it failed."""

from collections.abc import Mapping, Sequence

from flask import Response, request
from markupsafe import Markup
from sqlalchemy.orm import Session

from shared import db
from shared.access.visible_profiles import load_visible
from shared.accounts import holds
from shared.domain.publishing.handoff import CALENDAR
from shared.domain.publishing.states import JobState
from shared.jobs import channel_progress, etas, event_feed, progress
from shared.jobs.channel_progress import ChannelProgress
from shared.models import Account, Job
from shared.posts import failure_causes, post_queries
from shared.profiles import listing, profile_settings
from web.auth import current_caller, require_visible_profile
from web.http_layer.pagination import decode_number, next_cursor
from web.pages import charts
from web.pages.charts import Part
from web.pages.layout import create_reader_blueprint, show
from web.pages.posts import name_clips
from web.serializers.rows import job_view, post_list, read_job_view
from web.services import current_services

pages = create_reader_blueprint("job_pages")

JOBS = "/jobs"
AT_ONCE = 50
#: Profiles to choose from, the first by their names.
OFFERED = 200
LOOKED_AT = 200
#: Channels whose progress is shown.
CHANNELS = 30
#: Which jobs are listed: their kinds, and words. Each upload is a job too.
KINDS: Mapping[str, tuple[Sequence[str], str]] = {
    "": (progress.PUBLISHING, "posts"),
    "uploads": (progress.UPLOADS, "uploads"),
    "all": ((), "posts and uploads"),
}
#: The words for a job's state, and of which kind it is: it goes on, is well, or needs somebody.
STATES: Mapping[str, tuple[str, str]] = {
    JobState.QUEUED: ("queued", "going"),
    JobState.RUNNING: ("running", "going"),
    JobState.PAUSED: ("paused", "waiting"),
    JobState.COMPLETED: ("completed", "well"),
    JobState.COMPLETED_WITH_ERRORS: ("completed with errors", "wrong"),
    JobState.FAILED: ("failed", "wrong"),
    JobState.CANCELLED: ("cancelled", "over"),
}


@pages.get(JOBS)
def show_jobs() -> Response:
    """A job's state is known only once its posts are counted: of `LOOKED_AT` jobs at most."""
    state, kind, profile = (_read_filter(name) for name in ("state", "kind", "profile"))
    visible = current_caller().visible
    kinds, _ = KINDS.get(kind, KINDS[""])
    own = visible.narrowed_to(profile) if profile else visible
    wanted = progress.JobFilter(visible=own, kinds=kinds)
    limit = LOOKED_AT if state in STATES else AT_ONCE
    with current_services().database.transaction() as session:
        before = decode_number(request.args.get("cursor"))
        rows = progress.list_newest_jobs(session, wanted, before=before, limit=limit)
        shown = [row for row in rows if state not in STATES or row.state == state]
        if etas.has_few_open(session, shown):
            shown = etas.with_etas(session, shown, current_services().settings)
        jobs = [job_view(row) for row in shown]
        profiles = listing.list_by_name(session, visible, limit=OFFERED)
        names = listing.names_of(session, (job.profile_id for job in jobs))
    return show(
        "jobs.html",
        title="Jobs",
        path=JOBS,
        jobs=jobs,
        in_calendar={str(row.job.id) for row in shown if row.job.handoff == CALENDAR},
        names=names,
        states=STATES,
        chosen=state,
        kinds=KINDS,
        kind=kind,
        profiles=profiles,
        profile=profile,
        looked_at=len(rows),
        cursor=next_cursor(rows, limit, lambda row: row.job.id),
    )


def _read_filter(name: str) -> str:
    return request.args.get(name, "").strip()[:200]


@pages.get(f"{JOBS}/<job_id>")
def show_job(job_id: str) -> Response:
    visible = current_caller().visible
    with current_services().database.transaction() as session:
        seen_at = db.read_certain_moment(session)  # before what is seen
        job = load_visible(session, Job, job_id, visible)
        wanted = post_queries.PostFilter(visible=visible, job_id=job.id)
        after = decode_number(request.args.get("cursor"))
        posts = post_queries.read_posts(session, wanted, after=after, limit=AT_ONCE)
        place = event_feed.newest_place(session, job.id)
        shown = post_list(session, posts)
        channels = channel_progress.read_channels(session, job.id, limit=CHANNELS)
        return show(
            "job.html",
            title=f"Job {job_id}",
            path=JOBS,
            job=read_job_view(session, job),
            in_calendar=job.handoff == CALENDAR,
            calendar_end=progress.read_calendar_end(session, job.id),
            now=db.read_clock(session),
            seen_at=seen_at,
            settle=round(current_services().settings.settle_seconds),
            states=STATES,
            place=place,
            channels=[(channel, _draw_channel(channel)) for channel in channels],
            held=holds.list_held(session, profile_ids=[job.profile_id]),
            is_unreachable=_is_unreachable(session, job),
            causes=failure_causes.list_causes(session, job, visible),
            posts=shown,
            clips=name_clips(session, shown),
            names=listing.names_of(session, [job.profile_id]),
            cursor=next_cursor(posts, AT_ONCE, lambda row: row.id),
        )


def _is_unreachable(session: Session, job: Job) -> bool:
    """Whether the last call to its Postiz failed."""
    profile = profile_settings.load_profile(session, require_visible_profile(job.profile_id))
    return (
        profile.account_id is not None and not session.get_one(Account, profile.account_id).healthy
    )


def _draw_channel(channel: ChannelProgress) -> Markup:
    words = f"{channel.well} of {channel.total} done, {channel.wrong} not published"
    parts = [Part(value=channel.well, kind="well"), Part(value=channel.wrong, kind="wrong")]
    return charts.draw_bar(channel.channel, words, parts, whole=channel.total)
