"""Requests that want the same rows in different orders: none is ended because of another."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select, text, update

from shared.accounts import waits
from shared.models import Job, Post
from tests.factories.jobs import make_job, set_states
from tests.servers.api import Api
from tests.timing.patience import wait_until

WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def waiting_for_locks(api: Api) -> int:
    with api.services.database.transaction() as session:
        return session.scalar(text(WAITING)) or 0


def test_a_resume_and_an_edit_that_meet_end_both(api: Api) -> None:
    """Both want the job's row and its posts, in different orders."""
    job = make_job(api, 3)
    assert api.post(f"/jobs/{job}/pause", None).status_code == 202
    set_states(api, *["staged"] * 3)
    with api.services.database.transaction() as session:  # as workers do with what is paused
        session.execute(update(Post).values(waits_for=waits.for_job(int(job))))
    with ThreadPoolExecutor(2) as threads:
        with api.services.database.transaction() as session:
            session.execute(select(Job.id).where(Job.id == int(job)).with_for_update())
            resumed = threads.submit(api.post, f"/jobs/{job}/resume", None)
            wait_until(lambda: waiting_for_locks(api) == 1)
            edited = threads.submit(api.post, "/posts/edit", {"job_id": job, "caption": "new"})
            wait_until(lambda: waiting_for_locks(api) == 2)
        answers = [resumed.result(), edited.result()]
    assert [reply.status_code for reply in answers] == [202, 202], [a.text for a in answers]
    assert {(post.content, post.waits_for) for post in api.posts()} == {("new", "")}


def test_two_edits_of_posts_of_the_same_jobs_end_both(api: Api) -> None:
    """One takes a post of the first job out of the calendar and stages one of the second anew; the
    other one does so the other way round."""
    first, second = make_job(api, 2), make_job(api, 2)
    set_states(api, "scheduled", "staged", "scheduled", "staged")
    ids = [str(post.id) for post in api.posts()]
    bodies = [{"ids": [ids[a], ids[b]], "caption": "new"} for a, b in ((0, 3), (2, 1))]
    with ThreadPoolExecutor(2) as threads:
        with api.services.database.transaction() as session:
            jobs = Job.id.in_([int(first), int(second)])
            session.execute(select(Job.id).where(jobs).with_for_update())
            asked = [threads.submit(api.post, "/posts/edit", body) for body in bodies]
            wait_until(lambda: waiting_for_locks(api) == 2)
        answers = [each.result() for each in asked]
    assert [reply.status_code for reply in answers] == [202, 202], [a.text for a in answers]
    assert [post.state for post in api.posts()] == ["rescheduling", "pending"] * 2
