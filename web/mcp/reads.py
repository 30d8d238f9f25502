"""The tools that only read."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from shared.db import read_clock
from web.mcp.answers import Done, count_words, fetch
from web.mcp.arguments import JobId, OfProfile, PostId, WhichList
from web.mcp.results import AgentPost, Channels, JobResult, PostResult, PostsResult
from web.schemas.accounts import ServersView
from web.services import current_services

#: More text than this about a single thing helps nobody.
_LINES = 20


def list_channels(given: OfProfile, _: Mapping[str, Any]) -> Done:
    found = fetch("GET", "/postiz/integrations", profile_id=given.profile_id)
    result = Channels(channels=found)
    lines = [
        f"- {each.id}: {each.name} ({each.identifier}), {each.state}"
        for each in result.channels[:_LINES]
    ]
    return Done(
        result=result, text="\n".join([count_words(len(result.channels), "channel"), *lines])
    )


def list_posts(given: WhichList, sent: Mapping[str, Any]) -> Done:
    query = {name: value for name, value in sent.items() if name not in {"job_id", "profile_id"}}
    query["limit"] = given.limit
    path = "/posts"
    if given.job_id is not None:
        path = f"/jobs/{quote(given.job_id, safe='')}/posts"
    began_at = _read_clock()
    page = fetch("GET", path, query=query, profile_id=given.profile_id)
    posts = [AgentPost.of(each, began_at) for each in page["items"]]
    counts = Counter(post.outcome for post in posts)
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
    more = "; more with next_cursor" if page["next_cursor"] else ""
    return Done(
        result=PostsResult(posts=posts, next_cursor=page["next_cursor"]),
        text=f"{count_words(len(posts), 'post')}{': ' if told else ''}{told}{more}",
    )


def _read_clock() -> datetime:
    with current_services().database.reading() as session:
        return read_clock(session)


def get_post(given: PostId, _: Mapping[str, Any]) -> Done:
    return post_done("GET", f"/posts/{quote(given.post_id, safe='')}")


def post_done(method: str, path: str, body: dict[str, Any] | None = None) -> Done:
    """What the API answers with a post. Raises `Refused`."""
    began_at = _read_clock()
    post = AgentPost.of(fetch(method, path, body=body), began_at)
    parts = [f"Post {post.id} is {post.outcome}"]
    if post.error is not None:
        parts.append(f"{post.error.code}: {post.error.message}")
    if post.release_url:
        parts.append(post.release_url)
    if post.next_step:
        parts.append(post.next_step)
    return Done(result=PostResult(post=post), text="\n".join(parts))


def get_job(given: JobId, _: Mapping[str, Any]) -> Done:
    path = f"/jobs/{quote(given.job_id, safe='')}"
    job = fetch("GET", path)
    failures = fetch("GET", f"{path}/failures")["items"] if job["counts"].get("failed") else []
    result = JobResult(job=job, failures=failures)
    causes = [
        f"- {each.count} failed: {each.code}: {each.message}" for each in result.failures[:_LINES]
    ]
    return Done(result=result, text="\n".join([job_line(job), *causes]))


def job_line(job: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{number} {state}" for state, number in job["counts"].items() if number)
    return f"Job {job['id']} is {job['state']}, {job['percentage']} %: {counts or 'nothing yet'}"


def server_health(given: OfProfile, _: Mapping[str, Any]) -> Done:
    result = ServersView(**fetch("GET", "/servers", profile_id=given.profile_id))
    lines = [f"- {each.base_url}: {each.verdict}" for each in result.items[:_LINES]]
    return Done(result=result, text="\n".join([count_words(len(result.items), "server"), *lines]))
