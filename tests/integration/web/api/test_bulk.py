"""Bulks: slots, caps and gaps, dry runs, CSV, and rows that are left out."""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from shared.domain.publishing.states import PostState
from shared.models import Account, Job, Post
from shared.posts import late_policy
from tests.servers.api import Api, Reply

START = "2031-08-01T07:00:00Z"
DAY = timedelta(days=1)


def bulk(api: Api, items: list[dict[str, Any]] | int, *, query: str = "", **body: Any) -> Reply:
    if isinstance(items, int):
        items = [{"caption": f"clip {number}"} for number in range(items)]
    body = {"items": items, "integration_ids": ["int-mastodon"], "schedule_date": START, **body}
    return api.post(f"/postiz/bulk-publish{query}", body, profile="acme")


def dry(api: Api, items: list[dict[str, Any]] | int, **body: Any) -> dict[str, Any]:
    reply = bulk(api, items, query="?dry_run=true", **body)
    assert reply.status_code == 200, reply.text
    assert list(reply.json) == ["plan"]
    plan: dict[str, Any] = reply.json["plan"]
    return plan


def table(api: Api, text: str | bytes, query: str = "", **more: Any) -> Reply:
    raw = text.encode() if isinstance(text, str) else text
    path = f"/postiz/bulk-publish?integration_ids=int-mastodon&schedule_date={START}{query}"
    return api.call(
        "POST", path, data=raw, content_type="text/csv; charset=utf-8", profile="acme", **more
    )


def times(api: Api) -> list[str]:
    return [f"{post.publish_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for post in api.posts()]


def test_slots_are_times_of_the_day_in_the_zone_over_a_change_of_the_clock(api: Api) -> None:
    start = "2031-10-25T12:00:00"
    reply = bulk(api, 4, schedule_date=start, slots=["18:30", "09:00"], timezone="Europe/Berlin")
    assert reply.status_code == 202
    assert times(api) == [
        "2031-10-25T16:30:00Z",
        "2031-10-26T08:00:00Z",  # an hour later in UTC since the night
        "2031-10-26T17:30:00Z",
        "2031-10-27T08:00:00Z",
    ]


def test_a_daily_cap_and_a_least_gap_reckon_with_what_was_accepted_before(api: Api) -> None:
    limits: dict[str, Any] = {"daily_cap_per_integration": 3, "min_gap_minutes_per_integration": 45}
    for _ in range(3):
        assert bulk(api, 3, schedule_interval_minutes=10, **limits).status_code == 202
    made = sorted(post.publish_at for post in api.posts())
    assert set(Counter(moment.date() for moment in made).values()) == {3}
    assert min(b - a for a, b in itertools.pairwise(made)) == timedelta(minutes=45)
    with api.services.database.transaction() as session:
        session.execute(update(Post).values(state="cancelled"))
    assert bulk(api, 1, **limits).status_code == 202
    assert api.posts()[-1].publish_at == datetime.fromisoformat(START)


def test_bulks_that_come_at_once_share_a_cap(api: Api) -> None:
    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda _: bulk(api, 5, daily_cap_per_integration=2), range(4)))
    assert {reply.status_code for reply in replies} == {202}
    days = Counter(post.publish_at.date() for post in api.posts())
    assert set(days.values()) == {2}
    assert len(days) == 10


def test_what_is_due_on_an_integration_is_found_by_an_index(api: Api) -> None:
    bulk(api, 1)
    with api.services.database.transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = session.execute(
            text(
                "EXPLAIN SELECT publish_at FROM posts WHERE account_id = 1 AND integration_id IN "
                "('int-mastodon', 'int-x') AND publish_at >= now()"
            )
        ).scalars()
        assert "ix_posts_integration_id_publish_at" in "\n".join(plan)


def test_a_cap_is_each_integrations_own(api: Api) -> None:
    items = [
        {"caption": "a", "integration_ids": [name]} for name in ("int-mastodon", "int-linkedin")
    ]
    assert bulk(api, items * 2, daily_cap_per_integration=1).status_code == 202
    days = [(post.integration_id, post.publish_at.day) for post in api.posts()]
    assert days == [
        ("int-mastodon", 1),
        ("int-linkedin", 1),
        ("int-mastodon", 2),
        ("int-linkedin", 2),
    ]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_dry_run_and_the_real_run_of_the_same_request_agree(api: Api, form: str) -> None:
    spread: dict[str, Any] = {"schedule_jitter_minutes": 20, "daily_cap_per_integration": 5}
    query = "".join(f"&{name}={value}" for name, value in spread.items())
    rows = "caption\n" + "hello\n" * 12
    before = api.rows()
    if form == "json":
        plan = dry(api, 12, **spread)
        assert api.rows() == before
        assert bulk(api, 12, **spread).status_code == 202
    else:
        plan = table(api, rows, query + "&dry_run=true").json["plan"]
        assert api.rows() == before
        assert table(api, rows, query).status_code == 202
    assert [row["publish_at"] for row in plan["rows"]] == times(api)
    with api.services.database.transaction() as session:
        job = session.scalars(select(Job)).one()
    assert job.options["jitter_seed"] == plan["jitter_seed"]
    assert plan["handoff"][job.handoff] == plan["posts"] == 12


def test_a_plan_has_its_shape_and_counts_posts_and_calls(api: Api) -> None:
    items: list[dict[str, Any]] = [
        {"caption": "a", "integration_ids": ["int-mastodon", "int-linkedin"]},
        {"caption": "b"},
    ]
    plan = dry(api, items)
    assert [len(row.pop("posts")) for row in plan["rows"]] == [2, 1]
    assert plan == {
        "posts": 3,
        "counted_calls": 2,
        "first_at": START,
        "finishes_at": "2031-08-01T07:30:00Z",
        "late_posts": 0,
        "requires_approval": False,
        "handoff": {"calendar": 3, "staged": 0},
        "times_tag": plan["times_tag"],
        "jitter_seed": None,
        "warnings": [],
        "rows": [
            {"index": 0, "ok": True, "publish_at": START, "errors": []},
            {"index": 1, "ok": True, "publish_at": "2031-08-01T07:30:00Z", "errors": []},
        ],
    }


def test_a_plan_tells_every_fault_of_every_row_and_what_is_left(api: Api) -> None:
    items: list[dict[str, Any]] = [
        {"caption": "fine"},
        {"caption": "a" * 600, "media_ids": ["9"]},
        {"caption": "late", "schedule_date": "2099-06-01T00:00:00Z"},
    ]
    plan = dry(api, items)
    assert (plan["posts"], [row["ok"] for row in plan["rows"]]) == (1, [True, False, False])
    codes = [fault["code"] for fault in plan["rows"][1]["errors"]]
    assert codes == ["unknown_media", "caption_too_long"]
    assert plan["rows"][2]["publish_at"] is None
    assert plan["rows"][2]["errors"][0]["field"] == "items.2.schedule_date"


def test_a_plan_says_what_will_be_late_and_what_becomes_of_it(api: Api) -> None:
    past = "2020-01-01T00:00:00Z"
    items = [{"caption": "a", "schedule_date": past}, {"caption": "b"}]
    assert dry(api, items)["late_posts"] == 1
    assert [each["code"] for each in dry(api, items)["warnings"]] == ["late_publish"]
    for policy in ("skip", "hold"):
        plan = dry(api, items, late_policy=policy)
        [warning] = plan["warnings"]
        assert (warning["code"], warning["indexes"]) == (f"late_{policy}", [0])
        assert (plan["late_posts"], plan["counted_calls"]) == (1, 1)
        assert plan["first_at"] == plan["finishes_at"] == plan["rows"][1]["publish_at"]


def test_what_is_held_takes_no_place_before_others_in_a_plan(api: Api) -> None:
    def finishes() -> str:
        return str(dry(api, 1, handoff="staged", schedule_date=None)["finishes_at"])

    with api.services.database.transaction() as session:
        session.execute(update(Account).values(budget_limit=5))
    items = [{"caption": f"old {n}"} for n in range(3000)]
    held = {"late_policy": "hold", "schedule_date": "2020-01-01T00:00:00Z", "handoff": "staged"}
    assert bulk(api, items, **held).status_code == 202
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert finishes() < in_an_hour
    assert bulk(api, items, **{**held, "late_policy": "publish"}).status_code == 202
    assert finishes() > in_an_hour


def test_own_times_that_break_the_limits_are_warned_of(api: Api) -> None:
    items = [
        {"caption": "a", "schedule_date": START},
        {"caption": "b"},
        {"caption": "c", "schedule_date": START},
        {"caption": "d"},
    ]
    limits: dict[str, Any] = {"daily_cap_per_integration": 1, "min_gap_minutes_per_integration": 5}
    warnings = {each["code"]: each["indexes"] for each in dry(api, items, **limits)["warnings"]}
    assert warnings == {"over_daily_cap": [0, 2], "under_min_gap": [0, 2]}
    told = bulk(api, items, **limits).json["warnings"]
    assert {each["code"] for each in told} == {"over_daily_cap", "under_min_gap"}


def test_a_dry_run_uses_up_no_idempotency_key(api: Api) -> None:
    once = {"headers": {"Idempotency-Key": "k"}, "profile": "acme"}
    body = {"items": [{"caption": "a"}], "integration_ids": ["int-mastodon"]}
    assert api.post("/postiz/bulk-publish?dry_run=true", body, **once).status_code == 200
    for replayed in (None, "true"):
        reply = api.post("/postiz/bulk-publish", body, **once)
        assert (reply.status_code, reply.headers.get("Idempotent-Replayed")) == (202, replayed)
    other = api.post("/postiz/bulk-publish?skip_invalid=true", body, **once)
    assert other.status_code == 422


def test_rows_at_fault_are_left_out_on_request_and_the_others_keep_their_places(api: Api) -> None:
    items = [{"caption": "0"}, {"caption": "a" * 600}, {"caption": "2"}]
    assert bulk(api, items).status_code == 422
    reply = bulk(api, items, query="?skip_invalid=true")
    assert reply.status_code == 202
    assert (reply.json["job"]["total"], reply.json["skipped"]) == (2, 1)
    [row] = reply.json["skipped_rows"]
    assert (row["index"], row["errors"][0]["code"]) == (1, "caption_too_long")
    assert [(post.position, post.content) for post in api.posts()] == [(0, "0"), (2, "2")]
    assert times(api)[1] == "2031-08-01T08:00:00Z"
    nothing_left = bulk(api, items[1:2], query="?skip_invalid=true")
    assert nothing_left.status_code == 422
    assert nothing_left.json["errors"][0]["field"] == "items.0.caption"


def test_the_late_policy_is_kept_with_each_post(api: Api) -> None:
    assert bulk(api, 2, late_policy="hold").status_code == 202
    assert bulk(api, 1).status_code == 202
    assert [post.late_policy for post in api.posts()] == ["hold", "hold", "publish"]


def test_a_post_that_is_held_says_so_and_goes_on_with_a_retry(api: Api) -> None:
    assert bulk(api, 1, schedule_date="2020-01-01T00:00:00Z", late_policy="hold").status_code == 202
    [post] = api.posts()
    with api.services.database.transaction() as session:
        late_policy.hold_late_posts(session, [post.id], PostState.PENDING)
    shown = api.get(f"/posts/{post.id}").json
    assert (shown["state"], shown["error"]["code"]) == ("held", "late_held")
    assert shown["timeline"][-1]["event"] == "held"
    let_go = api.post(f"/posts/{post.id}/retry")
    assert (let_go.status_code, let_go.json["state"]) == (202, "pending")
    assert let_go.json["error"] is None
    assert api.post(f"/posts/{post.id}/retry").status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"slots": []}, "slots"),
        ({"slots": ["25:00"]}, "slots.0"),
        ({"slots": ["9"]}, "slots.0"),
        ({"daily_cap_per_integration": 0}, "daily_cap_per_integration"),
        ({"daily_cap_per_integration": 1.5}, "daily_cap_per_integration"),
        ({"min_gap_minutes_per_integration": -1}, "min_gap_minutes_per_integration"),
        ({"late_policy": "held"}, "late_policy"),
    ],
)
def test_limits_of_the_wrong_kind_are_named(api: Api, body: dict[str, Any], field: str) -> None:
    reply = bulk(api, 1, **body)
    assert reply.status_code == 400
    assert [fault["field"] for fault in reply.json["errors"]] == [field]


@pytest.mark.parametrize("query", ["?dryrun=true", "?dry_run=perhaps", "?slots=09:00"])
def test_a_query_that_means_nothing_is_refused_before_anything_is_published(
    api: Api, query: str
) -> None:
    reply = bulk(api, 1, query=query)
    assert reply.status_code == 400
    assert reply.json["errors"][0]["field"] in query
    assert api.posts() == []


def test_a_table_becomes_posts_with_the_queries_fields_as_defaults(api: Api) -> None:
    rows = (
        "\ufeffcaption,integration_ids,schedule_date,caption_mastodon,external_id,settings\r\n"
        '"one, two",int-mastodon|int-linkedin,,short,e1,\r\n'
        ',,2031-09-01T09:00:00,,,"{""mastodon"": {""a"": 1}}"\r\n'
    )
    query = "&caption=default&timezone=Europe/Berlin&schedule_interval_minutes=1"
    assert table(api, rows, query).status_code == 202
    assert [(post.integration_id, post.content, post.settings) for post in api.posts()] == [
        ("int-mastodon", "short", {}),
        ("int-linkedin", "one, two", {}),
        ("int-mastodon", "default", {"a": 1}),
    ]
    assert times(api) == [START, START, "2031-09-01T07:00:00Z"]
    assert [post.external_id for post in api.posts()] == ["e1", "e1", None]


def test_the_faults_of_a_table_name_the_item_and_the_line(api: Api) -> None:
    rows = f'caption,media_ids,schedule_date\n"two\nlines",,\nb,9,\n{"a" * 600},,\n,,soon\n'
    malformed = table(api, rows)
    assert malformed.status_code == 400
    assert [(one["field"], one["message"][:8]) for one in malformed.json["errors"]] == [
        ("items.3.schedule_date", "line 6: ")
    ]
    wrong = table(api, rows.replace("soon", ""))
    assert wrong.status_code == 422
    told = [(one["field"], one["code"], one["message"][:7]) for one in wrong.json["errors"]]
    assert told == [
        ("items.1.media_ids.0", "unknown_media", "line 4:"),
        ("items.2.caption", "caption_too_long", "line 5:"),
        # the last row has neither a caption nor a medium, and is not empty only by its commas
        ("items.3.caption", "empty_post", "line 6:"),
    ]
    planned = table(api, rows.replace("soon", ""), "&dry_run=true").json["plan"]
    assert [row["ok"] for row in planned["rows"]] == [True, False, False, False]
    assert planned["rows"][1]["errors"][0]["message"].startswith("line 4: ")


@pytest.mark.parametrize("query", ["&dry_run=true", "&skip_invalid=true"])
def test_malformed_rows_are_told_apart_where_others_may_go_on(api: Api, query: str) -> None:
    rows = "caption,schedule_date,settings\na,,\nb,soon,\nc,,{\nd,,,more\ne,,\n"
    reply = table(api, rows, query)
    told = reply.json["plan"]["rows"] if "plan" in reply.json else reply.json["skipped_rows"]
    wrong = {row["index"]: row["errors"][0]["message"][:8] for row in told if row["errors"]}
    assert wrong == {1: "line 3: ", 2: "line 4: ", 3: "line 5: "}
    assert len(api.posts()) == (2 if "skip" in query else 0)
    whole = table(api, rows)
    assert whole.status_code == 400
    assert len(whole.json["errors"]) == 3


def test_a_name_that_no_item_has_is_refused_in_every_mode(api: Api) -> None:
    for query in ("", "?dry_run=true", "?skip_invalid=true"):
        reply = bulk(api, [{"caption": "a"}, {"capton": "b", "external_id": 5}], query=query)
        assert reply.status_code == 400
        assert "items.1.capton" in [fault["field"] for fault in reply.json["errors"]]


def test_malformed_items_of_json_are_told_apart_too(api: Api) -> None:
    items: list[Any] = [{"caption": "a"}, {"caption": 5}, 7, {"media_ids": [1]}]
    plan = dry(api, items)
    assert [row["ok"] for row in plan["rows"]] == [True, False, False, False]
    assert plan["rows"][3]["errors"][0]["field"] == "items.3.media_ids.0"
    assert bulk(api, items).status_code == 400
    assert bulk(api, items, query="?skip_invalid=true").json["job"]["total"] == 1


def test_a_table_that_cannot_be_read_is_a_400(api: Api) -> None:
    for raw, word in (
        (b"titel\na\n", "titel"),
        ("caption\nna\xefve\n".encode("latin-1"), "UTF-8"),
        (b"caption\n", "items"),
        (b"caption\n" + b"a\n" * 10_001, "items"),
    ):
        reply = table(api, raw)
        assert (reply.status_code, reply.mimetype) == (400, "application/problem+json")
        assert word in reply.json["detail"]
    unknown = table(api, "caption\na\n", "&surprise=1")
    assert [one["field"] for one in unknown.json["errors"]] == ["surprise"]
    assert api.posts() == []


def test_a_repeated_table_is_accepted_once(api: Api) -> None:
    once: dict[str, Any] = {"headers": {"Idempotency-Key": "table"}}
    first, again = (table(api, "caption\na\n", **once) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json == first.json
    assert len(api.posts()) == 1
    assert table(api, "caption\nb\n", **once).status_code == 422
    assert table(api, "caption\na\n", "&handoff=staged", **once).status_code == 422


def test_ten_thousand_rows_of_a_table_are_accepted_in_one_go(api: Api) -> None:
    rows = "caption,external_id\n" + "".join(f"clip {n},e{n}\n" for n in range(10_000))
    reply = table(api, rows)
    assert reply.json["job"]["counts"] == {"pending": 10_000}
