"""What clients of Postiz do here besides the recorded exchanges: edit, repeat, look for a slot."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import InvalidRequest
from shared.net import outbound_route
from tests.factories.jobs import set_states
from tests.servers.api import Api, Reply
from web.http_layer.idempotency import HEADER
from web.postiz_front.repeats import REPEAT_OF, WARNING

FRONT = "/public/v1"
CHANNEL = "int-mastodon"


@pytest.fixture
def key(api: Api) -> str:
    wanted = {"name": "a client", "scopes": ["read", "publish"], "profile_ids": ["acme"]}
    return str(api.post("/keys", wanted).json["key"])


def later(hours: int) -> str:
    return f"{datetime.now(UTC) + timedelta(hours=hours):%Y-%m-%dT%H:00:00.000Z}"


def body(content: str, *, date: str = "", kind: str = "schedule", **value: Any) -> dict[str, Any]:
    part = {"content": content, "image": [], **value}
    post = {"integration": {"id": CHANNEL}, "value": [part], "settings": {"__type": "mastodon"}}
    shared = {"shortLink": False, "tags": [], "posts": [post]}
    return {"type": kind, "date": date or later(48), **shared}


def send(api: Api, key: str, wanted: dict[str, Any], **headers: str) -> Reply:
    return api.call("POST", f"{FRONT}/posts", key=key, json=wanted, headers=headers)


def contents(api: Api) -> list[tuple[str, str]]:
    items = api.get("/posts", profile="acme").json["items"]
    return sorted((str(post["id"]), post["content"]) for post in items)


def test_a_known_id_is_an_edit_and_keeps_the_id(api: Api, key: str) -> None:
    """As antoniolg/postiz-mcp updates: POST /posts with the id in the first value."""
    [made] = send(api, key, body("As it was")).json
    for kind, words in (("schedule", "As it is"), ("update", "As it stays")):
        edited = send(api, key, body(words, kind=kind, date=later(72), id=made["postId"]))
        assert edited.status_code == 201, edited.text
        assert [each["postId"] for each in edited.json] == [made["postId"]]
        assert [words for _, words in contents(api)] == [words]
    unknown = send(api, key, body("Of nobody", kind="update", id="987654321"))
    assert unknown.status_code == 400
    assert [words for _, words in contents(api)] == ["As it stays"]


def test_an_edit_that_no_post_can_hold_is_refused_in_words(api: Api, key: str) -> None:
    [made] = send(api, key, body("As it was")).json
    refused = send(api, key, body("a" * 100_500, id=made["postId"]))
    assert (refused.status_code, refused.json["message"][0][:26]) == (
        400,
        "posts.0.value.0.content St",
    )
    assert [words for _, words in contents(api)] == ["As it was"]


def test_the_same_body_again_makes_another_post_and_says_so(api: Api, key: str) -> None:
    wanted = body("Twice", date=later(48))
    first, second = send(api, key, wanted), send(api, key, wanted)
    assert first.status_code == second.status_code == 201
    assert REPEAT_OF not in first.headers
    assert second.headers[REPEAT_OF] == first.headers["Location"]
    assert HEADER in second.headers[WARNING]
    assert [words for _, words in contents(api)] == ["Twice", "Twice"]
    assert REPEAT_OF not in send(api, key, body("Another", date=later(48))).headers


def test_the_same_idempotency_key_gets_the_first_answer_and_makes_nothing(
    api: Api, key: str
) -> None:
    wanted = body("Once")
    answers = [send(api, key, wanted, **{HEADER: "order-17"}) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert answers[0].json == answers[1].json == answers[2].json
    assert all(REPEAT_OF not in answer.headers for answer in answers)
    assert [words for _, words in contents(api)] == ["Once"]


def test_a_repeated_call_gets_its_answer_though_its_media_are_gone(
    api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What refused the repeated call would be taken for the outcome of the first."""
    path = "http://localhost:9/clip.mp4"
    wanted = body("Once", image=[{"id": "a", "path": path}])
    calls: list[tuple[str, Any]] = [
        (f"{FRONT}/posts", wanted),
        ("/postiz/upload", {"url": path}),
    ]
    made = [api.call("POST", at, key=key, json=sent, headers={HEADER: at}) for at, sent in calls]
    assert [answer.status_code for answer in made] == [201, 202], [each.text for each in made]

    def refuse(*_: Any) -> Any:
        raise InvalidRequest("its name no longer resolves")

    monkeypatch.setattr(outbound_route, "require_allowed", refuse)
    for (at, sent), first in zip(calls, made, strict=True):
        again = api.call("POST", at, key=key, json=sent, headers={HEADER: at})
        assert (again.status_code, again.json) == (first.status_code, first.json)
        assert api.call("POST", at, key=key, json=sent).status_code == 400
    assert [words for _, words in contents(api)] == ["Once"]


def test_scheduling_a_post_that_is_held_because_it_is_late_lets_it_go(api: Api, key: str) -> None:
    by_status, by_edit = (send(api, key, body(each)).json[0]["postId"] for each in ("One", "Two"))
    set_states(api, "held", "held")
    path = f"{FRONT}/posts/{by_status}/status"
    asked = api.call("PUT", path, key=key, json={"status": "schedule"})
    assert asked.json == {"id": by_status, "state": "QUEUE"}
    assert send(api, key, body("Two!", kind="now", id=by_edit)).status_code == 201
    states = {post["id"]: post["state"] for post in api.get("/posts", profile="acme").json["items"]}
    assert states == {by_status: "pending", by_edit: "pending"}


def test_the_next_slot_is_one_that_no_post_of_the_channel_has(api: Api, key: str) -> None:
    def next_slot() -> str:
        found = api.call("GET", f"{FRONT}/find-slot/{CHANNEL}", key=key)
        assert found.status_code == 200, found.text
        return str(found.json["date"])

    first = next_slot()
    assert first[11:16] in {"02:00", "06:40", "11:40"}
    assert send(api, key, body("Taken", date=f"{first}.000Z")).status_code == 201
    assert next_slot() > first
    gone = api.call("GET", f"{FRONT}/find-slot/int-of-nobody", key=key)
    assert gone.status_code in {400, 404}
