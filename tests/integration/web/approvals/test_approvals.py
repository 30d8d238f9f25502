"""Posts that wait for a person: how they come to wait, and what is decided about them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from shared.models import Event, Post, Webhook
from tests.factories.files import FILES
from tests.servers.api import Api, Reply
from tests.servers.browsers import Browser, make_user

START = "2031-08-01T00:00:00Z"
CHANNEL = {"integration_ids": ["int-mastodon"]}
ITEMS = [{"caption": "hi"}]


def ask(api: Api, count: int = 1, **more: Any) -> dict[str, Any]:
    """A job whose posts wait for approval."""
    items = [{"caption": f"clip {number}"} for number in range(count)]
    body = {"items": items, "integration_ids": ["int-mastodon"], "schedule_date": START, **more}
    reply = api.post("/postiz/bulk-publish", {"requires_approval": True, **body}, profile="acme")
    assert reply.status_code == 202, reply.text
    job: dict[str, Any] = reply.json["job"]
    return job


def posts_of(api: Api, job: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(f"/jobs/{job['id']}/posts").json["items"]
    return items


def states(api: Api) -> list[str]:
    return [post.state for post in api.posts()]


def refused(reply: Reply) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]


def test_what_a_request_asks_for_waits_and_its_job_with_it(api: Api) -> None:
    job = ask(api, 2)
    assert (job["state"], job["counts"], job["eta"]) == ("running", {"waiting_approval": 2}, None)
    shown = api.get(f"/jobs/{job['id']}").json
    assert (shown["state"], shown["counts"], shown["eta"]) == ("running", job["counts"], None)
    progress = api.get(f"/postiz/publish/{job['id']}/progress").json
    assert (progress["step"], progress["status"]) == ("waiting for approval", "in_progress")
    [first, _] = posts_of(api, job)
    assert (first["state"], first["requires_approval"], first["approved_revision"]) == (
        "waiting_approval",
        True,
        None,
    )
    assert [event["event"] for event in first["timeline"]] == ["accepted", "approval_requested"]
    assert len(api.get("/posts?state=waiting_approval").json["items"]) == 2


def publish(api: Api, own: dict[str, Any]) -> Reply:
    return api.post("/postiz/publish", {"caption": "hi", **own}, profile="acme")


def publish_bulk(api: Api, own: dict[str, Any]) -> Reply:
    return api.post("/postiz/bulk-publish", {"items": ITEMS, **own}, profile="acme")


def publish_csv(api: Api, own: dict[str, Any]) -> Reply:
    flag = str(own["requires_approval"]).lower()
    query = f"integration_ids=int-mastodon&requires_approval={flag}"
    sent: dict[str, Any] = {"data": "caption\nhi\n", "content_type": "text/csv"}
    return api.call("POST", f"/postiz/bulk-publish?{query}", profile="acme", **sent)


def run_schedule(api: Api, own: dict[str, Any]) -> Reply:
    plan = {"name": "s", "cron": "0 9 * * *", "bulk": {"items": ITEMS, **own}}
    schedule = api.post("/schedules", plan, profile="acme").json
    return api.post(f"/schedules/{schedule['id']}/run")


def run_playlist(api: Api, own: dict[str, Any]) -> Reply:
    medium = api.upload(FILES.png(1), profile="acme").json["media"]["id"]
    plan = {"name": "p", "cron": "0 9 * * *", "playlist": {"media_ids": [medium], **own}}
    schedule = api.post("/schedules", plan, profile="acme").json
    return api.post(f"/schedules/{schedule['id']}/run")


WAYS_IN = {
    "publish": publish,
    "bulk": publish_bulk,
    "csv": publish_csv,
    "schedule": run_schedule,
    "playlist": run_playlist,
}


@pytest.mark.parametrize("path", WAYS_IN)
@pytest.mark.parametrize("by", ["profile", "request"])
def test_every_way_in_knows_it_and_none_says_no_where_the_profile_demands_it(
    api: Api, path: str, by: str
) -> None:
    if by == "profile":
        demanded = api.call("PATCH", "/profiles/acme", json={"requires_approval": True})
        assert demanded.json["requires_approval"] is True
    made = WAYS_IN[path](api, {"requires_approval": by == "request", **CHANNEL})
    assert made.status_code == 202, made.text
    assert made.json["job"]["counts"] == {"waiting_approval": 1}
    assert states(api) == ["waiting_approval"]


def test_a_profile_s_demand_is_told_and_only_who_names_it_changes_it(api: Api) -> None:
    body = {"id": "strict", "name": "Strict", "requires_approval": True}
    assert api.post("/profiles", body).json["requires_approval"] is True
    put = api.call("PUT", "/profiles/strict", json={"name": "Stricter"})
    assert (put.json["name"], put.json["requires_approval"]) == ("Stricter", True)
    patched = api.call("PATCH", "/profiles/strict", json={"requires_approval": False})
    assert patched.json["requires_approval"] is False
    plan = {"items": [{"caption": "hi"}], "integration_ids": ["int-mastodon"]}
    for asked in (True, False):
        body = {**plan, "requires_approval": asked}
        dry = api.post("/postiz/bulk-publish?dry_run=true", body, profile="acme")
        assert dry.json["plan"]["requires_approval"] is asked


def test_an_approval_lets_posts_go_and_is_refused_a_second_time(api: Api) -> None:
    job = ask(api, 3)
    [first, *_] = posts_of(api, job)
    approved = api.post(f"/posts/{first['id']}/approve")
    assert approved.status_code == 202, approved.text
    assert (approved.json["state"], approved.json["approved_revision"]) == ("pending", 1)
    assert approved.json["timeline"][-1]["event"] == "approved"
    assert approved.json["timeline"][-1]["detail"].startswith("revision 1, by the key ")
    again = refused(api.post(f"/posts/{first['id']}/approve"))
    assert again == (409, "not_waiting_for_approval")
    whole = api.post(f"/jobs/{job['id']}/approve")
    assert (whole.status_code, whole.json["counts"]) == (202, {"pending": 3})
    again = refused(api.post(f"/jobs/{job['id']}/approve"))
    assert again == (409, "not_waiting_for_approval")


def test_what_was_edited_since_a_person_looked_goes_on_waiting(api: Api) -> None:
    job = ask(api, 3)
    first, second, third = (f"/posts/{post['id']}" for post in posts_of(api, job))
    seen = {"as_of": api.get(third).json["timeline"][-1]["at"]}
    assert api.call("PATCH", second, json={"caption": "Nobody saw this"}).status_code == 202
    whole = api.post(f"/jobs/{job['id']}/approve", seen)
    assert (whole.status_code, whole.json["counts"]) == (202, {"pending": 2, "waiting_approval": 1})
    assert [api.get(path).json["state"] for path in (first, second, third)] == [
        "pending",
        "waiting_approval",
        "pending",
    ]
    again = refused(api.post(f"/jobs/{job['id']}/approve", seen))
    assert again == (409, "not_waiting_for_approval")
    assert refused(api.post(f"/jobs/{job['id']}/approve", {"as_of": "soon"}))[0] == 400
    assert api.post(f"/jobs/{job['id']}/approve").json["counts"] == {"pending": 3}


def test_what_was_rejected_is_edited_and_retried_and_asks_anew(api: Api) -> None:
    [post] = posts_of(api, ask(api))
    path = f"/posts/{post['id']}"
    rejected = api.post(f"{path}/reject", {"note": "Wrong logo"})
    assert (rejected.status_code, rejected.json["state"]) == (202, "cancelled")
    assert rejected.json["error"]["code"] == "rejected"
    assert rejected.json["error"]["message"] == "Wrong logo"
    assert rejected.json["timeline"][-1]["detail"].endswith(": Wrong logo")
    assert refused(api.post(f"{path}/reject")) == (409, "not_waiting_for_approval")
    assert api.call("PATCH", path, json={"caption": "better"}).json["state"] == "cancelled"
    retried = api.post(f"{path}/retry").json
    assert (retried["state"], retried["error"]) == ("waiting_approval", None)
    assert api.post(f"{path}/approve").json["approved_revision"] == 2


def test_an_edit_after_the_approval_asks_anew(api: Api) -> None:
    job = ask(api)
    [post] = posts_of(api, job)
    path = f"/posts/{post['id']}"
    api.post(f"{path}/approve")
    moved = api.call("PATCH", path, json={"publish_at": "2031-08-02T00:00:00Z"}).json
    assert (moved["state"], moved["revision"], moved["approved_revision"]) == (
        "waiting_approval",
        2,
        1,
    )
    assert [event["event"] for event in moved["timeline"]][-2:] == ["edited", "approval_requested"]
    seen = refused(api.post(f"{path}/approve", {"revision": 1}))
    assert seen == (409, "changed_meanwhile")
    assert states(api) == ["waiting_approval"]
    assert api.post(f"{path}/approve", {"revision": 2}).json["state"] == "pending"
    shifted = api.post("/posts/reschedule", {"job_id": job["id"], "shift_minutes": 5}).json
    assert (shifted["changed"], states(api)) == (1, ["waiting_approval"])


def test_a_cancel_works_at_once_and_bulk_acts_know_the_state(api: Api) -> None:
    job = ask(api, 2)
    wanted = {"job_id": job["id"], "state": "waiting_approval"}
    dry = api.post("/posts/cancel?dry_run=true", wanted).json
    assert (dry["matched"], dry["would_change"]) == (2, 2)
    [first, second] = posts_of(api, job)
    assert api.post(f"/posts/{first['id']}/cancel").json["state"] == "cancelled"
    assert api.post("/posts/cancel", wanted).json["changed"] == 1
    assert states(api) == ["cancelled", "cancelled"]
    assert api.get(f"/posts/{second['id']}").json["error"] is None


def test_a_late_one_is_never_let_go_unapproved(api: Api) -> None:
    job = ask(api, 1, late_policy="hold")
    [post] = posts_of(api, job)
    with api.services.database.transaction() as session:
        held = {"state": "held", "publish_at": datetime.now(UTC) - timedelta(hours=1)}
        session.execute(update(Post).values(held))
    assert api.post(f"/posts/{post['id']}/retry").json["state"] == "waiting_approval"
    assert api.post(f"/posts/{post['id']}/approve").json["state"] == "pending"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("approve", {"revision": 0}),
        ("approve", {"note": "no such field"}),
        ("reject", {"note": "x" * 1001}),
        ("reject", {"note": 7}),
    ],
)
def test_a_malformed_decision_is_refused_and_changes_nothing(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    [post] = posts_of(api, ask(api))
    assert api.post(f"/posts/{post['id']}/{path}", body).status_code == 400
    assert states(api) == ["waiting_approval"]


def test_only_the_scope_approve_decides(api: Api) -> None:
    job = ask(api)
    [post] = posts_of(api, job)
    paths = [
        f"/posts/{post['id']}/approve",
        f"/posts/{post['id']}/reject",
        f"/jobs/{job['id']}/approve",
        f"/jobs/{job['id']}/approval-links",
    ]
    for scope in ("read", "publish", "settings"):
        key = api.key(scope)
        assert [api.post(path, key=key).status_code for path in paths] == [403] * 4, scope
    assert api.get(f"/posts/{post['id']}", key=api.key("approve")).status_code == 403
    assert api.post(paths[0], key=api.key("approve")).status_code == 202
    may = {role: person_decides(api, role) for role in ("viewer", "publisher", "manager")}
    assert may == {"viewer": False, "publisher": False, "manager": True}


def person_decides(api: Api, role: str) -> bool:
    [post] = posts_of(api, ask(api))
    person = Browser.signed_in(api, make_user(api, f"{role}@example.com", role=role))
    return person.post(f"/posts/{post['id']}/approve").status_code == 202


def test_webhooks_are_told_of_each_post_and_of_each_decision(api: Api) -> None:
    events = ["post.approval_requested", "post.approved", "post.rejected"]
    hook = api.post("/webhooks", {"url": "http://127.0.0.1:9/hook", "events": events}).json
    [first, second] = posts_of(api, ask(api, 2))
    api.post(f"/posts/{first['id']}/approve")
    api.post(f"/posts/{second['id']}/reject", {"note": "No"})
    told = api.get(f"/webhooks/{hook['id']}/deliveries").json["items"]
    assert sorted(delivery["event"] for delivery in told) == sorted([events[0], *events])
    [rejected] = [delivery for delivery in told if delivery["event"] == "post.rejected"]
    payload = api.get(f"/webhooks/{hook['id']}/deliveries/{rejected['id']}").json["payload"]
    assert payload["data"]["error"]["message"] == "No"
    with api.services.database.transaction() as session:
        assert session.get(Webhook, int(hook["id"])) is not None
        assert session.query(Event).filter(Event.event == "rejected").count() == 1
