"""A tool that is called again because its answer was lost; plans and words that are out of date."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm.attributes import flag_modified

from shared.domain.publishing.reconciliation import CANCELLED_LATE
from shared.models import AccountMedia, AgentPlan, IdempotencyKey, Job, JobMedia, Media
from tests.factories.jobs import make_job, set_states
from tests.scenarios.agent_calls import BULK, bound_key, call, done, refusal
from tests.servers.api import Api

CLIP = {"url": "http://127.0.0.1/clip.mp4"}


@pytest.fixture
def key(api: Api) -> str:
    return bound_key(api)


def media_ids(api: Api) -> list[int]:
    with api.services.database.transaction() as session:
        return list(session.scalars(select(Media.id).order_by(Media.id)))


def test_the_same_address_gives_the_same_medium_until_it_fails_or_is_gone(
    api: Api, key: str
) -> None:
    def take_in(**more: Any) -> str:
        return str(done(api, "upload_media", {**CLIP, **more}, key=key)["media"]["id"])

    with ThreadPoolExecutor(4) as together:
        found = {each.result() for each in [together.submit(take_in) for _ in range(4)]}
    assert found == {str(each) for each in media_ids(api)}
    [first] = found
    assert take_in() == first
    assert take_in(idempotency_key="again") != first
    assert take_in(idempotency_key="again") == take_in(idempotency_key="again")
    end_upload(api, int(first), "failed", "failed")
    second = take_in()
    assert take_in() == second
    end_upload(api, int(second), "uploaded", "completed")
    assert take_in() == second
    assert api.call("DELETE", f"/media/{second}").status_code == 204
    assert take_in() not in {first, second}


@pytest.mark.parametrize("forgotten", [(IdempotencyKey,), (IdempotencyKey, AgentPlan)])
def test_no_answer_has_a_plan_published_twice_that_is_known_no_more(
    api: Api, key: str, forgotten: tuple[Any, ...]
) -> None:
    plan = {"plan_id": done(api, "plan_posts", BULK, key=key)["plan_id"]}
    done(api, "publish_posts", plan, key=key)
    days = api.services.settings.idempotency_retention_days
    with api.services.database.transaction() as session:
        [kept] = session.scalars(select(AgentPlan))
        kept.expires_at -= timedelta(days=days, hours=1)
        for rows in forgotten:
            session.execute(delete(rows))
    told = refusal(api, "publish_posts", plan, key=key)
    assert "look with list_posts" in told
    assert "nothing of it was published" not in told


def test_a_key_that_may_not_read_gets_the_medium_of_its_first_call(api: Api) -> None:
    key = bound_key(api, "publish")
    made = [done(api, "upload_media", CLIP, key=key)["media"]["id"] for _ in range(2)]
    assert made == [str(each) for each in media_ids(api)] * 2


def end_upload(api: Api, medium: int, state: str, of_job: str) -> None:
    with api.services.database.transaction() as session:
        row = session.scalars(select(AccountMedia).where(AccountMedia.media_id == medium)).one()
        row.state = state
        job = session.scalars(
            select(Job).join(JobMedia).where(JobMedia.account_media_id == row.id)
        ).one()
        job.state = of_job


def test_changes_may_be_repeated(api: Api, key: str) -> None:
    make_job(api, 2)
    edited, cancelled = [str(post.id) for post in api.posts()]
    words = {"post_id": edited, "caption": "better"}
    revisions = [done(api, "edit_post", words, key=key)["post"]["revision"] for _ in range(2)]
    assert revisions == [2, 2]
    changed = [
        done(api, "cancel_posts", {"ids": [cancelled]}, key=key)["changed"] for _ in range(2)
    ]
    assert changed == [1, 0]
    set_states(api, "failed", "cancelled", error_code="refused", error_message="No")
    changed = [done(api, "retry_posts", {"ids": [edited]}, key=key)["changed"] for _ in range(2)]
    assert changed == [1, 0]
    events = [each["event"] for each in api.get(f"/posts/{edited}").json["timeline"]]
    assert events.count("retried") == events.count("edited") == 1


def test_what_may_be_live_is_retried_by_a_key_that_may_approve_and_once_for_a_look(
    api: Api, key: str
) -> None:
    make_job(api)
    set_states(api, "failed", error_code=CANCELLED_LATE, error_message="No answer")
    post = done(api, "get_post", {"post_id": str(api.posts()[0].id)}, key=key)["post"]
    assert "ask a person" in post["next_step"]
    word = {"post_id": post["id"], "as_of": post["as_of"]}
    told = refusal(api, "retry_posts", {"ids": [post["id"]], "confirm_not_published": True})
    assert "retry_missing_post" in told
    assert "person_has_to_look" in refusal(api, "retry_missing_post", word, key=key)
    assert api.posts()[0].state == "failed"

    trusted = bound_key(api, "read", "publish", "approve")
    assert "as_of" in refusal(api, "retry_missing_post", {"post_id": post["id"]}, key=trusted)
    assert done(api, "retry_missing_post", word, key=trusted)["post"]["state"] == "pending"
    set_states(api, "failed", error_code=CANCELLED_LATE, error_message="No answer again")
    again = refusal(api, "retry_missing_post", word, key=trusted)
    assert "changed_meanwhile" in again
    assert api.posts()[0].state == "failed"
    stranger = bound_key(api, "read", "publish", "approve", profile=beta(api))
    assert "not_found" in refusal(api, "retry_missing_post", word, key=stranger)


def beta(api: Api) -> str:
    assert api.post("/profiles", {"id": "beta", "name": "Beta"}).status_code == 201
    return "beta"


def later_by(api: Api, plan_id: str, minutes: int) -> None:
    """As if the plan had been made, and shown, so long ago."""
    past = timedelta(minutes=minutes)
    with api.services.database.transaction() as session:
        plan = session.get_one(AgentPlan, plan_id)
        plan.expires_at -= past
        bulk, times = plan.body["bulk"], plan.body["times"]
        bulk["schedule_date"] = moved(bulk["schedule_date"], past)
        plan.body["times"] = [moved(moment, past) for moment in times]
        flag_modified(plan, "body")


def moved(moment: str, past: timedelta) -> str:
    return (datetime.fromisoformat(moment) - past).isoformat()


def test_a_plan_without_times_is_published_at_the_times_that_it_showed(api: Api, key: str) -> None:
    at_once = {name: BULK[name] for name in BULK if name != "schedule_date"}
    for jitter, made in ((0, 2), (10, 4)):
        bulk = {**at_once, "schedule_interval_minutes": 30, "schedule_jitter_minutes": jitter}
        plan = done(api, "plan_posts", bulk, key=key)
        later_by(api, plan["plan_id"], 8)
        told, again = (publish(api, plan["plan_id"], key) for _ in range(2))
        assert ("1 of 2 rows had passed" in told) or jitter
        assert "had passed" not in again
        shown = [datetime.fromisoformat(post["publish_at"]) for post in plan["posts"]]
        published = [post.publish_at + timedelta(minutes=8) for post in api.posts()]
        assert published[-2:] == shown
        assert len(published) == made


def publish(api: Api, plan_id: str, key: str) -> str:
    result = call(api, "publish_posts", {"plan_id": plan_id}, key=key)
    assert not result["isError"], result
    return str(result["content"][0]["text"])


def test_a_plan_whose_times_no_longer_hold_is_refused(api: Api, key: str) -> None:
    at_once = {"items": [{"caption": "now or never"}], "integration_ids": ["int-mastodon"]}
    strict = done(api, "plan_posts", {**at_once, "late_policy": "skip"}, key=key)["plan_id"]
    later_by(api, strict, 8)
    assert "plan_outdated" in refusal(api, "publish_posts", {"plan_id": strict}, key=key)
    capped = {**BULK, "daily_cap_per_integration": 2}
    rivals = [{"plan_id": done(api, "plan_posts", capped, key=key)["plan_id"]} for _ in range(4)]
    with ThreadPoolExecutor(4) as together:
        asked = [together.submit(call, api, "publish_posts", plan, key=key) for plan in rivals]
        answers = [each.result() for each in asked]
    for plan, answer in zip(rivals, answers, strict=True):
        again = call(api, "publish_posts", plan, key=key)
        assert again["isError"] == answer["isError"]
        assert not answer["isError"] or "plan_outdated" in answer["content"][0]["text"]
    assert [answer["isError"] for answer in answers].count(False) == 1
    assert len(api.posts()) == 2
