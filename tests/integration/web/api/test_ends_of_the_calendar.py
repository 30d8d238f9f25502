"""Times at the ends of the calendar: each is taken or refused with a word, in every zone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories.jobs import make_job
from tests.servers.api import Api, Reply

BEFORE = ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00", "1969-12-31T23:59:59Z")
BEYOND = ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59", "2098-12-31T00:00:00Z")
MONTH = 31 * 24 * 60
HOWS: tuple[dict[str, Any], ...] = (
    {"slots": ["00:00", "23:59"], "daily_cap_per_integration": 1},
    {"schedule_interval_minutes": MONTH, "min_gap_minutes_per_integration": MONTH},
    {"schedule_jitter_minutes": MONTH, "daily_cap_per_integration": 1},
)


def publishing(api: Api, moment: str, zone: str) -> Iterator[Reply]:
    body = {"integration_ids": ["int-mastodon"], "timezone": zone}
    for how in HOWS:
        items = [{"caption": "a", "schedule_date": moment}, {"caption": "b"}]
        whole = {**body, "items": [{"caption": "a"}] * 2, "schedule_date": moment, **how}
        for sent in (whole, {**body, "items": items, **how}):
            yield api.post("/postiz/bulk-publish?dry_run=true", sent, profile="acme")
    single = {**body, "caption": "x", "schedule_date": moment, "requires_approval": True}
    yield api.post("/postiz/publish", single, profile="acme")


def editing(api: Api, job: str, moment: str, zone: str) -> Iterator[Reply]:
    for how in ({"slots": ["00:00", "23:59"]}, {"schedule_interval_minutes": MONTH}):
        body = {"job_id": job, "schedule_date": moment, "timezone": zone, **how}
        yield api.post("/posts/reschedule?dry_run=true", body)
    for post in api.posts():
        there = {"publish_at": moment, "timezone": zone}
        yield api.call("PATCH", f"/posts/{post.id}", json=there)
    for minutes in (-366 * 24 * 60, 366 * 24 * 60):
        yield api.post("/posts/reschedule", {"profile_id": "acme", "shift_minutes": minutes})


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("moment", [*BEFORE, *BEYOND])
def test_a_time_at_the_end_of_the_calendar_is_no_fault_of_ours(
    api: Api, moment: str, zone: str
) -> None:
    job = make_job(api, 3)
    replies = [*publishing(api, moment, zone), *editing(api, job, moment, zone)]
    assert [reply.json for reply in replies if reply.status_code >= 500] == []
    accepted = replies[len(HOWS) * 2].status_code
    assert accepted == (202 if moment < "2099" else 400)
    for post in api.posts():
        link = api.post(f"/jobs/{post.job_id}/approval-links").json["url"]
        page = api.app.test_client().get("/approve/" + link.rpartition("/")[2])
        assert page.status_code == 200


def test_more_posts_than_there_are_slots_are_refused_and_not_lost(api: Api) -> None:
    job = make_job(api, 3)
    late = {"job_id": job, "schedule_date": "2098-12-30T00:00:00Z", "slots": ["09:00"]}
    reply = api.post("/posts/reschedule", late)
    assert (reply.json["matched"], reply.json["changed"]) == (3, 2)
    assert [(each["code"], each["count"]) for each in reply.json["refused"]] == [("too_far", 1)]
