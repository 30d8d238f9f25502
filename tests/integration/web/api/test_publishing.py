"""Publish and bulk-publish: every row a post, or a fault at its place and nothing written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from local.sandbox.process import SandboxProcess
from shared.accounts import known_lists
from shared.domain.networks.channel import Channel
from shared.intake import deferred_rules
from shared.models import Account, AccountMedia, Event, Integration, Job, Post
from tests.factories.files import FILES
from tests.servers.api import Api, Reply
from tests.timing.patience import wait_until

X = {"x": {"who_can_reply_post": "everyone"}}
START = "2031-08-01T09:00:00Z"


@pytest.fixture
def media(api: Api) -> str:
    return str(api.upload(FILES.mp4(), profile="acme").json["media"]["id"])


def publish(api: Api, **body: Any) -> Reply:
    body = {"caption": "hello", "integration_ids": ["int-mastodon"], **body}
    return api.post("/postiz/publish", body, profile="acme")


def bulk(api: Api, items: list[dict[str, Any]], **body: Any) -> Reply:
    body = {"items": items, "integration_ids": ["int-mastodon"], **body}
    return api.post("/postiz/bulk-publish", body, profile="acme")


def faults(reply: Reply) -> list[tuple[str, str]]:
    assert reply.status_code == 422, reply.text
    return [(fault["field"], fault["code"]) for fault in reply.json["errors"]]


def test_a_publish_becomes_a_post_per_integration_with_all_that_it_needs(
    api: Api, media: str
) -> None:
    reply = publish(
        api,
        media_ids=[media],
        integration_ids=["int-x", "int-mastodon"],
        captions_per_platform={"x": "short"},
        settings=X,
        external_id="e1",
    )
    assert reply.status_code == 202
    job = reply.json["job"]
    assert reply.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["kind"], job["total"], job["counts"], job["external_id"]) == (
        "publish",
        2,
        {"pending": 2},
        "e1",
    )
    first, second = api.posts()
    assert (first.integration_id, first.content, first.settings) == ("int-x", "short", X["x"])
    assert (second.integration_identifier, second.content) == ("mastodon", "hello")
    assert first.media_ids == [int(media)]
    assert first.publish_at.microsecond == 0
    assert abs(first.publish_at - datetime.now(UTC)) < timedelta(minutes=1)
    with api.services.database.transaction() as session:
        assert session.scalars(select(Event.event)).all() == ["accepted", "accepted"]
        assert session.scalars(select(AccountMedia.media_id)).all() == [int(media)]


def test_times_are_in_the_zone_that_is_named_and_else_in_utc(api: Api) -> None:
    for body in (
        {"schedule_date": "2031-08-01T09:00:00", "timezone": "Europe/Berlin"},
        {"schedule_date": "2031-08-01T09:00:00"},
        {"schedule_date": "2031-08-01T09:00:00+02:00", "timezone": "Asia/Tokyo"},
    ):
        assert publish(api, **body).status_code == 202
    hours = [post.publish_at.astimezone(UTC).hour for post in api.posts()]
    assert hours == [7, 9, 7]


def test_a_time_in_the_past_is_taken_and_a_null_means_now(api: Api) -> None:
    assert publish(api, schedule_date="2020-01-01T00:00:00Z").status_code == 202
    assert publish(api, schedule_date=None, timezone=None, youtube_title=None).status_code == 202
    assert api.posts()[0].publish_at.year == 2020


@pytest.mark.parametrize(
    ("body", "chosen"),
    [
        ({"schedule_date": START}, "calendar"),
        ({}, "staged"),
        ({"schedule_date": START, "handoff": "staged"}, "staged"),
        ({"handoff": "calendar"}, "calendar"),
        ({"save_as_draft": True}, "calendar"),
    ],
)
def test_the_handoff_is_planned_unless_the_user_says(
    api: Api, body: dict[str, Any], chosen: str
) -> None:
    assert publish(api, **body).status_code == 202
    [post] = api.posts()
    assert post.handoff == chosen
    assert post.as_draft is body.get("save_as_draft", False)


def test_more_times_than_the_budget_holds_are_staged(api: Api) -> None:
    few, many = ([{"caption": f"{n}"} for n in range(count)] for count in (30, 31))
    bulk(api, few, schedule_date=START)
    bulk(api, many, schedule_date=START)
    with api.services.database.transaction() as session:
        account = session.scalars(select(Account)).one()
        account.budget_limit, account.budget_used = 90, 88
        account.window_ends_at = datetime.now(UTC) + timedelta(minutes=30)
    bulk(api, few[:3], schedule_date=START)
    bulk(api, few[:2], schedule_date=START)
    with api.services.database.transaction() as session:
        chosen = session.scalars(select(Job.handoff).order_by(Job.id)).all()
    assert chosen == ["calendar", "staged", "staged", "calendar"]


def test_a_bulk_spreads_its_rows_and_keeps_the_times_of_those_that_have_one(
    api: Api, media: str
) -> None:
    items: list[dict[str, Any]] = [
        {"caption": "0"},
        {"caption": "1", "schedule_date": "2031-09-01T00:00:00Z", "external_id": "e1"},
        {"caption": "2", "media_ids": [media]},
    ]
    reply = bulk(api, items, schedule_date=START, schedule_interval_minutes=45)
    assert (reply.status_code, reply.json["job"]["total"]) == (202, 3)
    start = datetime.fromisoformat(START)
    own = datetime(2031, 9, 1, tzinfo=UTC)
    made = api.posts()
    assert [post.publish_at for post in made] == [start, own, start + timedelta(minutes=90)]
    assert [post.position for post in made] == [0, 1, 2]
    assert [post.external_id for post in made] == [None, "e1", None]
    assert [post.media_ids for post in made] == [[], [], [int(media)]]


def test_jitter_is_told_again_by_its_seed(api: Api) -> None:
    items = [{"caption": f"{n}"} for n in range(8)]
    spread = {"schedule_date": START, "schedule_jitter_minutes": 20}
    for seed in ({"jitter_seed": 7}, {"jitter_seed": 7}, {}):
        assert bulk(api, items, **spread, **seed).status_code == 202
    times = [post.publish_at for post in api.posts()]
    assert times[:8] == times[8:16]
    assert times[8:16] != times[16:]
    start = datetime.fromisoformat(START)
    for n, moment in enumerate(times[:8]):
        assert abs(moment - start - n * timedelta(minutes=30)) <= timedelta(minutes=20)
    with api.services.database.transaction() as session:
        seeds = [job.options["jitter_seed"] for job in session.scalars(select(Job))]
    assert all(isinstance(seed, int) for seed in seeds)


def test_a_row_takes_from_the_defaults_what_it_does_not_name(api: Api) -> None:
    items = [
        {},
        {"caption": "own", "settings": {"mastodon": {"b": 3}}},
        {"captions_per_platform": {"int-mastodon": "by id"}, "integration_ids": ["int-mastodon"]},
    ]
    defaults = {
        "caption": "default",
        "settings": {"mastodon": {"a": 1, "b": 2}},
        "integration_ids": ["int-mastodon", "int-linkedin"],
    }
    assert bulk(api, items, **defaults).status_code == 202
    made = [(post.integration_id, post.content, post.settings) for post in api.posts()]
    assert made == [
        ("int-mastodon", "default", {"a": 1, "b": 2}),
        ("int-linkedin", "default", {}),
        ("int-mastodon", "own", {"a": 1, "b": 3}),
        ("int-linkedin", "own", {}),
        ("int-mastodon", "by id", {"a": 1, "b": 2}),
    ]


def test_the_youtube_title_fills_the_settings(api: Api, media: str) -> None:
    reply = publish(
        api,
        media_ids=[media],
        integration_ids=["int-youtube"],
        youtube_title="My clip",
        settings={"youtube": {"type": "public"}},
    )
    assert reply.status_code == 202
    assert api.posts()[0].settings == {"type": "public", "title": "My clip"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"integration_ids": ["int-none"]}, ("integration_ids.0", "unknown_integration")),
        ({"integration_ids": ["int-x-disabled"]}, ("integration_ids.0", "integration_disabled")),
        (
            {
                "integration_ids": ["int-x"],
                "settings": {"int-x": {"who_can_reply_post": "nobody"}},
            },
            ("settings.int-x.who_can_reply_post", "invalid_setting"),
        ),
        (
            {"integration_ids": ["int-mastodon", "int-mastodon"]},
            ("integration_ids.1", "repeated_integration"),
        ),
        ({"caption": "a" * 501}, ("caption", "caption_too_long")),
        (
            {"captions_per_platform": {"mastodon": "a" * 501}},
            ("captions_per_platform.mastodon", "caption_too_long"),
        ),
        ({"media_ids": ["999"]}, ("media_ids.0", "unknown_media")),
        ({"media_ids": ["abc"]}, ("media_ids.0", "unknown_media")),
        ({"media_ids": ["9" * 30]}, ("media_ids.0", "unknown_media")),
        ({"caption": ""}, ("caption", "empty_post")),
        ({"schedule_date": "2099-01-01T00:00:00Z"}, ("schedule_date", "too_far")),
    ],
)
def test_what_cannot_be_published_is_refused_at_its_place_and_nothing_is_written(
    api: Api, body: dict[str, Any], expected: tuple[str, str]
) -> None:
    before = api.rows()
    assert faults(publish(api, **body)) == [expected]
    assert api.rows() == before


def test_another_profiles_media_does_not_exist(
    api: Api, postiz: SandboxProcess, media: str
) -> None:
    credentials = {"api_url": postiz.api_url, "api_key": "sandbox-other-key"}
    api.post("/profiles", {"id": "b", "name": "B", "tts_settings": {"postiz": credentials}})
    body = {"media_ids": [media], "integration_ids": ["int-other-mastodon"]}
    reply = api.post("/postiz/publish", body, profile="b")
    assert faults(reply) == [("media_ids.0", "unknown_media")]


def test_every_bad_row_is_told_and_no_good_one_is_written(api: Api) -> None:
    items: list[dict[str, Any]] = [{"caption": "fine"} for _ in range(100)]
    items[3] = {"integration_ids": ["int-tiktok"], "caption": "no video"}
    items[40] = {"caption": "a" * 600}
    items[99] = {"media_ids": ["5"]}
    before = api.rows()
    told = faults(bulk(api, items))
    assert ("items.3.media_ids", "media_refused") in told
    assert ("items.40.caption", "caption_too_long") in told
    assert ("items.99.media_ids.0", "unknown_media") in told
    assert {field.split(".")[1] for field, _ in told} == {"3", "40", "99"}
    assert api.rows() == before


def test_ten_thousand_rows_are_accepted_in_one_go(api: Api, media: str) -> None:
    items = [{"caption": f"clip {n}"} for n in range(10_000)]
    reply = bulk(api, items, media_ids=[media], schedule_interval_minutes=1)
    assert reply.status_code == 202
    assert reply.json["job"]["counts"] == {"pending": 10_000}
    rows = api.rows()
    assert (rows["posts"], rows["events"], rows["account_media"]) == (10_000, 10_000, 1)
    assert [post.content for post in api.posts()[:3]] == ["clip 0", "clip 1", "clip 2"]


def test_a_postiz_that_hangs_delays_no_publish_for_long(api: Api, postiz: SandboxProcess) -> None:
    postiz.admin.add_fault("hang", route="GET /integrations")
    assert publish(api).status_code == 202, "though it never answers"


def test_the_list_is_refreshed_before_rows_are_checked(api: Api, postiz: SandboxProcess) -> None:
    postiz.admin.patch_org("demo", integrations={"int-mastodon": {"disabled": True}})
    try:
        assert faults(publish(api)) == [("integration_ids.0", "integration_disabled")]
    finally:
        postiz.admin.patch_org("demo", integrations={"int-mastodon": {"disabled": False}})


def test_accepting_one_takes_few_statements_and_one_transaction_besides_the_key_s(
    api: Api,
) -> None:
    publish(api)
    engine = api.services.database.engine
    statements: list[str] = []

    transactions: list[object] = []

    def note_statement(*args: Any) -> None:
        statements.append(args[2])

    def note_transaction(connection: object) -> None:
        transactions.append(connection)

    event.listen(engine, "after_cursor_execute", note_statement)
    event.listen(engine, "begin", note_transaction)
    try:
        assert publish(api, schedule_date=START).status_code == 202
    finally:
        event.remove(engine, "after_cursor_execute", note_statement)
        event.remove(engine, "begin", note_transaction)
    assert len(statements) <= 15, "\n".join(statements)
    assert len(transactions) == 2


def listings(postiz: SandboxProcess) -> int:
    """How often Postiz was asked for its integrations."""
    asked = postiz.admin.ledger(kind="request")
    return sum(each["path"].endswith("/integrations") for each in asked)


def test_a_list_of_the_last_minute_costs_no_call(api: Api, postiz: SandboxProcess) -> None:
    assert publish(api).status_code == 202
    before = listings(postiz)
    assert {publish(api).status_code for _ in range(5)} == {202}
    dry = api.post(
        "/postiz/bulk-publish?dry_run=true",
        {"items": [{"caption": "a"}], "integration_ids": ["int-mastodon"]},
        profile="acme",
    )
    assert (dry.status_code, listings(postiz)) == (200, before)


def test_a_channel_that_is_not_known_as_ready_is_asked_for(
    api: Api, postiz: SandboxProcess
) -> None:
    postiz.admin.patch_org("demo", integrations={"int-mastodon": {"disabled": True}})
    assert faults(publish(api)) == [("integration_ids.0", "integration_disabled")]
    postiz.admin.patch_org("demo", integrations={"int-mastodon": {"disabled": False}})
    assert publish(api).status_code == 202
    before = listings(postiz)
    assert faults(publish(api, integration_ids=["int-new"]))
    assert listings(postiz) == before + 1


def test_an_older_list_is_used_and_asked_for_in_the_background(
    api: Api, postiz: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert publish(api).status_code == 202
    before = listings(postiz)
    monkeypatch.setattr(known_lists, "FRESH_SECONDS", 0.0)
    postiz.admin.patch_org("demo", integrations={"int-mastodon": {"disabled": True}})
    try:
        assert publish(api).status_code == 202
        wait_until(lambda: listings(postiz) > before)
        monkeypatch.undo()
        wait_until(lambda: publish(api).status_code == 422)
    finally:
        postiz.admin.patch_org("demo", integrations={"int-mastodon": {"disabled": False}})


@pytest.fixture
def strange(api: Api) -> Api:
    """Its Postiz has never answered."""
    away = {"postiz": {"api_url": "http://127.0.0.1:9", "api_key": "a-long-enough-key"}}
    assert api.call("PATCH", "/profiles/acme", json={"tts_settings": away}).status_code == 200
    return api


def test_where_no_list_is_to_be_had_posts_are_accepted_and_resolved_later(strange: Api) -> None:
    reply = publish(
        strange,
        integration_ids=["int-new"],
        captions_per_platform={"x": "short"},
        settings={"x": {"who_can_reply_post": "everyone"}},
    )
    assert reply.status_code == 202
    with strange.services.database.transaction() as session:
        post = session.scalars(select(Post)).one()
        assert (post.content, post.integration_identifier) == ("hello", None)
        assert (
            deferred_rules.resolve_post(session, post, Channel(id="int-new", identifier="x")) == []
        )
        assert (post.content, post.settings) == ("short", {"who_can_reply_post": "everyone"})


def test_what_is_resolved_late_is_checked_late(strange: Api) -> None:
    assert publish(strange, integration_ids=["int-new"], caption="a" * 300).status_code == 202
    with strange.services.database.transaction() as session:
        post = session.scalars(select(Post)).one()
        found = deferred_rules.resolve_post(session, post, Channel(id="int-new", identifier="x"))
    assert [fault.code for fault in found] == ["caption_too_long"]


def test_an_unconfigured_profile_is_told_how_to_configure_it(bare_api: Api) -> None:
    bare_api.post("/profiles", {"id": "acme", "name": "A"})
    for reply in (publish(bare_api), bulk(bare_api, [{"caption": "a"}])):
        assert (reply.status_code, reply.json["code"]) == (400, "not_configured")
        for word in ("tts_settings", "PATCH", "POSTIZ_API_URL", "POSTIZ_API_KEY"):
            assert word in reply.json["detail"]


def test_integrations_that_postiz_no_longer_lists_do_not_exist(api: Api) -> None:
    with api.services.database.transaction() as session:
        account = session.scalars(select(Account)).one()
        session.add(
            Integration(
                account_id=account.id,
                id="int-gone",
                server=account.server,
                name="Gone",
                identifier="mastodon",
                listed=False,
            )
        )
    reply = publish(api, integration_ids=["int-gone"])
    assert faults(reply) == [("integration_ids.0", "unknown_integration")]


@pytest.mark.parametrize(
    ("ahead", "handoff", "woken"),
    [
        (timedelta(minutes=1), None, 1),
        (timedelta(hours=23), "staged", 1),
        (timedelta(days=2), "staged", 0),
        (timedelta(days=2), "calendar", 1),
        (timedelta(days=15), "calendar", 0),
    ],
)
def test_a_worker_is_woken_only_for_what_it_may_stage_now(
    api: Api, ahead: timedelta, handoff: str | None, woken: int
) -> None:
    due = (datetime.now(UTC) + ahead).isoformat()
    more = {} if handoff is None else {"handoff": handoff}
    before = api.services.waker.messages()
    assert publish(api, schedule_date=due, **more).status_code == 202
    assert api.services.waker.messages() - before == woken
