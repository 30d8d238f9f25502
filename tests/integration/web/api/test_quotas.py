"""Quotas of a profile: shown with their use, refused as a whole, also by two at the same time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.factories.files import FILES
from tests.servers.api import Api


def allow(api: Api, **numbers: int | None) -> None:
    assert api.call("PATCH", "/profiles/acme", json={"quotas": numbers}).status_code == 200


def bulk(api: Api, number: int, **more: Any) -> Any:
    items = [{"caption": f"{n}"} for n in range(number)]
    body = {"items": items, "integration_ids": ["int-mastodon"], **more}
    return api.post("/postiz/bulk-publish", body, profile="acme")


def used(api: Api, quota: str) -> int:
    return int(api.get("/profiles/acme").json["quotas"][quota]["used"])


def test_open_posts_are_bounded_and_a_bulk_that_does_not_fit_is_refused_as_a_whole(
    api: Api,
) -> None:
    allow(api, open_posts=5)
    assert bulk(api, 3).status_code == 202
    before = api.rows()
    for reply in (bulk(api, 3), bulk(api, 3, handoff="staged")):
        assert (reply.status_code, reply.json["code"]) == (403, "quota_exceeded")
        assert [fault["field"] for fault in reply.json["errors"]] == ["open_posts"]
    assert api.rows() == before
    assert used(api, "open_posts") == 3
    assert bulk(api, 2).status_code == 202
    allow(api, open_posts=None)
    assert bulk(api, 1).status_code == 202


def test_posts_that_ended_make_room(api: Api) -> None:
    """Also those of a job that is not over."""
    allow(api, open_posts=3)
    assert bulk(api, 3).status_code == 202
    gone = api.posts()[0].id
    assert api.post(f"/posts/{gone}/cancel").status_code == 202
    assert bulk(api, 1).status_code == 202
    assert bulk(api, 1).status_code == 403


def test_two_at_the_same_time_do_not_pass_together(api: Api) -> None:
    allow(api, open_posts=30)
    with ThreadPoolExecutor(6) as pool:
        statuses = [reply.status_code for reply in pool.map(lambda _: bulk(api, 20), range(6))]
    assert sorted(statuses) == [202, 403, 403, 403, 403, 403]
    assert len(api.posts()) == 20


def test_media_are_bounded_in_bytes(api: Api) -> None:
    size = len(FILES.png(3))
    allow(api, media_bytes=size)
    assert api.upload(FILES.png(3), profile="acme").status_code == 202
    assert api.upload(FILES.png(3), profile="acme").status_code == 202, "it is there already"
    refused = api.upload(FILES.png(4), profile="acme")
    assert (refused.status_code, refused.json["code"]) == (403, "quota_exceeded")
    assert used(api, "media_bytes") == size


def test_schedules_are_bounded(api: Api) -> None:
    allow(api, schedules=1)
    content = {"items": [{"caption": "c"}], "integration_ids": ["int-mastodon"]}
    plan = {"name": "s", "cron": "0 9 * * *", "bulk": content, "profile_id": "acme"}
    statuses = [api.post("/schedules", plan).status_code for _ in range(2)]
    assert statuses == [201, 403]
    assert used(api, "schedules") == 1


def test_requests_of_a_profile_are_bounded_by_whatever_of_its_keys(api: Api) -> None:
    api.services.broker.flushdb()
    keys = [api.key("read", profiles=["acme"]) for _ in range(2)]
    allow(api, requests_per_minute=4)
    replies = [api.get("/jobs", key=keys[number % 2]) for number in range(6)]
    assert [reply.status_code for reply in replies][-1] == 429
    assert replies[-1].json["code"] == "quota_exceeded"
    assert '"profile";q=4;w=60' in replies[-1].headers["RateLimit-Policy"]
    assert api.get("/jobs").status_code == 200, "of the operator"
    allow(api, requests_per_minute=None)
    assert api.get("/jobs", key=keys[0]).status_code == 200


def test_only_the_operator_sets_quotas(api: Api) -> None:
    key = api.key("read", "settings", "admin", profiles=["acme"])
    body = {"quotas": {"open_posts": 7}}
    assert api.call("PATCH", "/profiles/acme", json=body, key=key).status_code == 403
    assert api.get("/profiles/acme", key=key).json["quotas"]["open_posts"]["limit"] == 10**6
