"""Jobs and posts as their owners read them: counts, progress, timelines, pages."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from shared.models import AccountMedia, Post
from tests.factories.files import FILES
from tests.factories.jobs import make_job, set_states
from tests.servers.api import Api


@pytest.mark.parametrize(
    ("states", "state", "percentage", "status"),
    [
        (("pending", "pending"), "queued", 0, "in_progress"),
        (("staged", "pending"), "running", 0, "in_progress"),
        (("published", "releasing"), "running", 50, "in_progress"),
        (("published", "scheduled"), "completed", 100, "completed"),
        (("published", "draft"), "completed", 100, "completed"),
        (("published", "failed"), "completed_with_errors", 100, "completed_with_errors"),
        (("failed", "failed"), "failed", 100, "failed"),
        (("cancelled", "cancelled"), "cancelled", 100, "failed"),
    ],
)
def test_a_job_is_what_its_posts_have_come_to(
    api: Api, states: tuple[str, str], state: str, percentage: int, status: str
) -> None:
    job_id = make_job(api, 2)
    wrong = {"error_message": "Postiz said no", "error_code": "rejected_by_postiz"}
    set_states(api, *states, **(wrong if "failed" in states else {}))
    job = api.get(f"/jobs/{job_id}").json
    assert (job["state"], job["percentage"]) == (state, percentage)
    assert sum(job["counts"].values()) == job["total"] == 2
    over = state not in {"queued", "running"}
    assert (job["finished_at"] is not None) == over
    assert (job["eta"] is None) == over
    progress = api.get(f"/postiz/publish/{job_id}/progress").json
    assert (progress["status"], progress["percentage"]) == (status, percentage)
    assert progress["step"]
    assert ("Postiz said no" in (progress["error_detail"] or "")) == ("failed" in states)
    assert [row["id"] for row in api.get(f"/jobs?state={state}").json["items"]] == [job_id]
    assert api.get("/jobs?state=paused").json["items"] == []


@pytest.mark.parametrize("job_id", ["999", "abc", "0", "-1", "1" * 40, "%00"])
def test_a_job_that_does_not_exist_is_not_found_in_both_shapes(api: Api, job_id: str) -> None:
    assert api.get(f"/jobs/{job_id}").status_code == 404
    assert api.get(f"/jobs/{job_id}/posts").status_code == 404
    progress = api.get(f"/postiz/publish/{job_id}/progress")
    assert (progress.status_code, progress.json["status"]) == (404, "not_found")


def test_an_upload_job_follows_its_file(api: Api) -> None:
    job_id = api.upload(FILES.png(), profile="acme").json["job"]["id"]
    seen = []
    for state in ("pending", "uploading", "uploaded", "failed"):
        with api.services.database.transaction() as session:
            session.execute(
                update(AccountMedia).values(state=state, error_message="Postiz refused it")
            )
        seen.append(api.get(f"/jobs/{job_id}").json["state"])
    assert seen == ["queued", "running", "completed", "failed"]
    assert "refused" in api.get(f"/postiz/publish/{job_id}/progress").json["error_detail"]


def test_a_post_explains_itself(api: Api) -> None:
    make_job(api)
    set_states(
        api,
        "failed",
        error_code="rejected_by_postiz",
        error_message="too long",
        error_hint="shorten it",
        attempts=2,
    )
    [listed] = api.get("/posts").json["items"]
    post = api.get(f"/posts/{listed['id']}").json
    assert post == listed
    assert post["integration"] == {
        "id": "int-mastodon",
        "identifier": "mastodon",
        "name": "Demo on Mastodon",
    }
    assert post["error"] == {
        "code": "rejected_by_postiz",
        "message": "too long",
        "hint": "shorten it",
        "may_be_live": False,
    }
    assert (post["content"], post["publish_at"]) == ("clip 0", "2031-08-01T00:00:00Z")
    [line] = post["timeline"]
    assert (line["event"], line["detail"]) == ("accepted", None)
    assert datetime.fromisoformat(line["at"]) <= datetime.now(UTC)


def test_posts_are_found_by_what_is_asked_for(api: Api) -> None:
    job_id = make_job(api, 3, integration_ids=["int-mastodon", "int-linkedin"])
    make_job(api)
    set_states(api, "published")
    count = {
        query: len(api.get(f"/posts{query}").json["items"])
        for query in (
            "",
            "?state=published",
            "?integration_id=int-linkedin",
            "?from=2031-08-01T00:30:00Z",
            "?to=2031-08-01T00:30:00Z",
            "?from=2031-08-01T00:30:00Z&to=2031-08-01T01:00:00Z",
        )
    }
    assert list(count.values()) == [7, 1, 3, 4, 3, 2]
    assert len(api.get(f"/jobs/{job_id}/posts").json["items"]) == 6
    assert len(api.get(f"/jobs/{job_id}/posts?state=published").json["items"]) == 1


@pytest.mark.parametrize("path", ["/posts", "/jobs", "/profiles", "/keys", "/jobs/1/posts"])
def test_pages_follow_each_other_until_the_end(api: Api, path: str) -> None:
    for n in range(4):
        api.post("/profiles", {"id": f"p{n}", "name": "P"})
        api.key("read")
    make_job(api, 5)
    for _ in range(4):
        make_job(api)
    whole = [row["id"] for row in api.get(path).json["items"]]
    assert len(whole) == len(set(whole)) >= 5
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{path}?limit=2{cursor and '&cursor=' + cursor}").json
        assert len(page["items"]) <= 2
        found += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert found == whole


def test_jobs_are_listed_the_newest_first_and_by_kind(api: Api) -> None:
    first, second = make_job(api), make_job(api)
    upload = api.upload(FILES.png(), profile="acme").json["job"]["id"]
    assert [job["id"] for job in api.get("/jobs").json["items"]] == [upload, second, first]
    kinds = api.get("/jobs?kind=bulk_publish").json["items"]
    assert [job["id"] for job in kinds] == [second, first]


def test_a_job_is_paused_and_resumed_until_it_is_over(api: Api) -> None:
    job_id = make_job(api)
    paused = api.post(f"/jobs/{job_id}/pause")
    assert (paused.status_code, paused.json["state"]) == (202, "paused")
    assert api.get(f"/postiz/publish/{job_id}/progress").json["step"] == "paused"
    resumed = api.post(f"/jobs/{job_id}/resume")
    assert (resumed.status_code, resumed.json["state"]) == (202, "queued")
    set_states(api, "published")
    assert api.post(f"/jobs/{job_id}/pause").status_code == 409


def test_lists_span_the_profiles_unless_one_is_named(api: Api) -> None:
    make_job(api)
    api.post("/profiles", {"id": "empty", "name": "E"})
    for path in ("/jobs", "/posts", "/accounts"):
        assert len(api.get(path).json["items"]) == 1
        assert len(api.get(path, profile="acme").json["items"]) == 1
        assert api.get(path, profile="empty").json["items"] == []
        assert api.get(path, profile="nobody").status_code == 404


def test_failures_are_grouped_by_cause_and_one_cause_is_retried_alone(api: Api) -> None:
    job = make_job(api, 4)
    set_states(api, "failed", "failed", "failed", error_code="media_refused", error_message="no")
    with api.services.database.transaction() as session:
        third = session.scalars(select(Post).order_by(Post.id).offset(2).limit(1)).one()
        third.error_code, third.error_message = "too_many_attempts", "given up"
    found = api.get(f"/jobs/{job}/failures").json["items"]
    assert [(cause["code"], cause["count"], cause["message"]) for cause in found] == [
        ("media_refused", 2, "no"),
        ("too_many_attempts", 1, "given up"),
    ]
    assert found[0]["example"] == api.get(f"/jobs/{job}/posts").json["items"][0]["id"]
    retried = api.post("/posts/retry", {"job_id": job, "error_code": found[0]["code"]})
    assert retried.json["changed"] == 2
    assert [cause["count"] for cause in api.get(f"/jobs/{job}/failures").json["items"]] == [1]
