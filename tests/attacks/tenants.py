"""Two clients with one thing of each kind, and for each operation what is asked of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from local.sandbox.process import SandboxProcess
from shared.models import Base, Delivery, IncomingUpload, Media, Post
from tests.factories.files import FILES
from tests.servers.api import ADMIN_KEY, PREFIX, Api

ACME, BETA = "acme", "beta"
ANY_SUCCESS = range(200, 300)
EVERYTHING = ("read", "publish", "approve", "settings", "admin")
DATED = {"schedule_date": "2031-08-01T00:00:00Z"}
TUS = {"Tus-Resumable": "1.0.0"}
TUS_BYTES = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
HOOK = {"url": "http://127.0.0.1:9/hook", "events": ["post.failed"]}


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """`ids`: of one thing of each kind, by the part of the path before it."""

    key: str
    ids: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is sent, about acme; what beta's key gets for it, and what acme's own.

    `content`: a body that is not JSON. `thing`: the kind of the path's thing, where that is not the
    part before it. `common`: tenants share the rows of the list, and each sees its own part of
    them.
    """

    body: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    header: bool = False
    thing: str | None = None
    common: bool = False
    stranger: Collection[int] = (404,)
    owner: Collection[int] = ANY_SUCCESS
    operator: Collection[int] = ANY_SUCCESS


@dataclass
class World:
    api: Api
    tenants: dict[str, Tenant]
    dead_key: str
    rows: dict[str, list[str]] = field(default_factory=dict)
    files: dict[Path, bytes] = field(default_factory=dict)

    def read_rows(self) -> dict[str, list[str]]:
        """Every row of every table, but for when keys were used."""
        with self.api.services.database.transaction() as session:
            return {
                table.name: sorted(
                    session.scalars(
                        text(f"SELECT (to_jsonb(t) - 'last_used_at')::text FROM {table.name} t")
                    )
                )
                for table in Base.metadata.sorted_tables
            }

    def restore(self) -> None:
        """Back to the rows and files that were there first."""
        for path, content in self.files.items():
            path.write_bytes(content)
        names = [table.name for table in Base.metadata.sorted_tables]
        with self.api.services.database.transaction() as session:
            for name in reversed(names):  # of so few rows, faster than TRUNCATE
                session.execute(text(f"DELETE FROM {name}"))
            for name in names:
                if self.rows[name]:
                    statement = (
                        f"INSERT INTO {name} OVERRIDING SYSTEM VALUE "
                        f"SELECT * FROM jsonb_populate_recordset(NULL::{name}, :rows)"
                    )
                    session.execute(text(statement), {"rows": f"[{','.join(self.rows[name])}]"})


def found_world(api: Api, postiz: SandboxProcess) -> World:
    for name in (ACME, BETA, "gone"):
        channels = [{"id": f"int-{name}", "name": name, "identifier": "mastodon"}]
        postiz.admin.create_org(name, keys=[f"key-of-{name}"], integrations=channels)
        credentials = {"api_url": postiz.api_url, "api_key": f"key-of-{name}"}
        body = {"id": name, "name": name, "tts_settings": {"postiz": credentials}}
        made = api.post("/profiles", body)
        assert made.json["postiz_check"]["ok"], made.text
    dead_key = api.key(*EVERYTHING, profiles=["gone"])
    assert api.get("/profiles/gone", key=dead_key).status_code == 200
    assert api.call("DELETE", "/profiles/gone").status_code == 204
    world = World(api, {name: _add_things(api, name) for name in (ACME, BETA)}, dead_key)
    world.rows = world.read_rows()
    world.files = {path: path.read_bytes() for path in api.files()}
    return world


def _add_things(api: Api, name: str) -> Tenant:
    items = [{"caption": f"{word} of {name}"} for word in ("waiting", "failed")]
    bulk = {"items": items, "integration_ids": [f"int-{name}"], **DATED}
    asked = {**bulk, "requires_approval": True}
    job = _made(api.post("/postiz/bulk-publish", asked, profile=name))["job"]["id"]
    medium = _made(api.upload(FILES.png(len(name)), profile=name))["media"]["id"]
    plan = {"name": "daily", "cron": "0 9 * * *", "bulk": {**bulk, "items": items[:1]}}
    del plan["bulk"]["schedule_date"]  # type: ignore[attr-defined]
    schedule = _made(api.post("/schedules", plan, profile=name))["id"]
    hook = _made(api.post("/webhooks", {**HOOK, "profile_ids": [name]}))["id"]
    spare = {"name": "spare", "scopes": ["read"], "profile_ids": [name]}
    ids = {
        "profiles": name,
        "accounts": api.get(f"/profiles/{name}").json["account_id"],
        "jobs": job,
        "publish": job,
        "integrations": f"int-{name}",
        "approval-links": _made(api.post(f"/jobs/{job}/approval-links"))["id"],
        "media": medium,
        "schedules": schedule,
        "webhooks": hook,
        "calendar-links": _made(api.post("/calendar-links", {"profile_id": name}))["id"],
        "keys": _made(api.post("/keys", spare))["id"],
        "users": _made(api.post("/users", _person(name)))["id"],
    }
    begun = api.call("POST", "/uploads", headers={**TUS, "Upload-Length": "900"}, profile=name)
    ids["uploads"] = begun.headers["Location"].rpartition("/")[2]
    with api.services.database.transaction() as session:
        unused = _media_row(session, name)
        ids["unused medium"], ids["direct"] = unused, _direct_upload(session, name)
        posts = session.scalars(select(Post.id).where(Post.job_id == int(job)).order_by(Post.id))
        ids["posts"], ids["failed post"] = (str(post_id) for post_id in posts)
        failed = update(Post).where(Post.id == int(ids["failed post"]))
        session.execute(failed.values(state="failed", error_code="rejected_by_postiz"))
        event = Delivery(webhook_id=int(hook), message_id=f"m-{name}", event="post.failed", data={})
        event.profile_ids, event.state = [name], "failed"
        session.add(event)
        session.flush()
        ids["deliveries"] = str(event.id)
    return Tenant(key=api.key(*EVERYTHING, profiles=[name]), ids=ids)


def _media_row(session: Session, name: str) -> str:
    """A medium that nothing needs."""
    kept = {"storage_key": f"{name}/ab/{'ab' * 32}", "mime": "image/png", "size": 9}
    session.add(row := Media(profile_id=name, sha256="ab" * 32, **kept))
    session.flush()
    return str(row.id)


def _direct_upload(session: Session, name: str) -> str:
    """One that was finished, as if there were a bucket."""
    values = {"kind": "direct", "owner": f"direct-{name}", "size": 9, "remote_id": "r"}
    row = IncomingUpload(profile_id=name, expires_at=datetime(2100, 1, 1, tzinfo=UTC), **values)
    session.add(row)
    session.flush()
    return str(row.id)


def _person(name: str) -> dict[str, Any]:
    email = f"spare@{name}.example"
    return {"email": email, "name": "spare", "role": "viewer", "profile_ids": [name]}


def _made(reply: Any) -> Any:
    assert reply.status_code in ANY_SUCCESS, reply.text
    return reply.json


def cases(world: World) -> dict[str, Case]:
    """For each operation of the API, by method and path below the prefix."""
    ids = world.tenants[ACME].ids
    unseen, kept_out = (422,), (403,)
    publish = {"caption": "hi", "integration_ids": ["int-acme"], **DATED}
    bulk = {"items": [{"caption": "hi"}], "integration_ids": ["int-acme"]}
    schedule = {"name": "s", "cron": "0 9 * * *", "profile_id": ACME, "bulk": bulk}
    picture = {"url": "http://127.0.0.1:9/a.png"}
    listed = Case(stranger=(200,))
    plain = Case()
    direct = {"size": 9, "sha256": "ab" * 32, "mime": "image/png"}
    without_bucket: dict[str, Any] = {"owner": (400,), "operator": (400,)}
    for_people = Case(stranger=kept_out, owner=kept_out, operator=kept_out)
    return {
        "GET /accounts": listed,
        "GET /audit": listed,
        "GET /servers": Case(stranger=(200,), common=True),
        "PATCH /accounts/{id}": Case(body={"budget_reserve": 1}),
        "POST /accounts/{id}/pause": plain,
        "POST /accounts/{id}/resume": plain,
        "POST /accounts/{id}/cancel": plain,
        "POST /accounts/{id}/retry": plain,
        "POST /posts/cancel": Case(body={"ids": [ids["posts"]]}, stranger=(202,)),
        "POST /posts/retry": Case(body={"ids": [ids["failed post"]]}, stranger=(202,)),
        "POST /posts/reschedule": Case(
            body={"ids": [ids["posts"]], "shift_minutes": 5}, stranger=(202,)
        ),
        "POST /posts/edit": Case(body={"ids": [ids["posts"]], "caption": "N"}, stranger=(202,)),
        "POST /jobs/{id}/approve": plain,
        "POST /posts/{id}/approve": plain,
        "POST /posts/{id}/reject": Case(body={"note": "No"}),
        "POST /jobs/{id}/approval-links": plain,
        "GET /jobs/{id}/approval-links": plain,
        "DELETE /approval-links/{id}": plain,
        "POST /profiles/{id}/cancel": plain,
        "POST /profiles/{id}/retry": plain,
        "GET /profiles/{id}/credentials": plain,
        "POST /profiles/{id}/validate": plain,
        "GET /jobs": listed,
        "GET /jobs/{id}": plain,
        "GET /jobs/{id}/events": plain,
        "GET /jobs/{id}/posts": plain,
        "GET /jobs/{id}/failures": plain,
        "POST /jobs/{id}/pause": plain,
        "POST /jobs/{id}/resume": plain,
        "POST /jobs/{id}/cancel": plain,
        "POST /jobs/{id}/retry": plain,
        "GET /postiz/publish/{id}/progress": plain,
        "GET /calendar-links": listed,
        "POST /calendar-links": Case(body={"profile_id": ACME}),
        "DELETE /calendar-links/{id}": plain,
        "GET /keys": listed,
        "POST /keys": Case(
            body={"name": "k", "scopes": ["read"], "profile_ids": [ACME]}, stranger=unseen
        ),
        "GET /keys/{id}": plain,
        "POST /keys/{id}/rotate": plain,
        "DELETE /keys/{id}": plain,
        "GET /postiz/status": Case(header=True),
        "GET /postiz/integrations": Case(header=True),
        "POST /postiz/integrations/{id}/resume": Case(header=True),
        "POST /postiz/publish": Case(header=True, body=publish),
        "POST /postiz/bulk-publish": Case(header=True, body=bulk),
        "POST /postiz/upload": Case(header=True, body=picture),
        "POST /postiz/bulk-upload": Case(header=True, body={"items": [picture]}),
        "POST /uploads": Case(header=True, headers={**TUS, "Upload-Length": "900"}),
        "GET /uploads/{id}": plain,
        "PATCH /uploads/{id}": Case(headers=TUS_BYTES, content=b"GIF89a"),
        "DELETE /uploads/{id}": Case(headers=TUS),
        "POST /uploads/{id}": Case(headers={**TUS, "X-HTTP-Method-Override": "DELETE"}),
        "POST /media/direct": Case(header=True, body=direct, **without_bucket),
        "POST /media/direct/{id}/complete": Case(**without_bucket),
        "DELETE /media/direct/{id}": plain,
        "GET /media": listed,
        "GET /media/{id}": plain,
        "GET /media/{id}/file": plain,
        "GET /media/{id}/thumbnail": plain,
        "DELETE /media/{id}": Case(thing="unused medium"),
        "GET /posts": listed,
        "GET /posts/{id}": plain,
        "PATCH /posts/{id}": Case(body={"caption": "N"}),
        "POST /posts/{id}/cancel": plain,
        "POST /posts/{id}/retry": Case(thing="failed post"),
        "GET /profiles": listed,
        "POST /profiles": Case(body={"name": "N"}, stranger=kept_out, owner=kept_out),
        "GET /profiles/{id}": plain,
        "PUT /profiles/{id}": Case(body={"name": "N"}),
        "PATCH /profiles/{id}": Case(body={"name": "N"}),
        "DELETE /profiles/{id}": Case(query="?force=true"),
        "POST /profiles/{id}/pause": plain,
        "POST /profiles/{id}/resume": plain,
        "GET /schedules": listed,
        "POST /schedules": Case(body=schedule),
        "GET /schedules/fire-times": Case(query="?cron=0+9+*+*+*", stranger=(200,)),
        "GET /schedules/{id}": plain,
        "PATCH /schedules/{id}": Case(body={"name": "N"}),
        "DELETE /schedules/{id}": plain,
        "POST /schedules/{id}/run": plain,
        "GET /schedules/{id}/runs": plain,
        "GET /users": listed,
        "POST /users": Case(body={**_person(ACME), "email": "new@acme.example"}, stranger=unseen),
        "GET /users/{id}": plain,
        "PATCH /users/{id}": Case(body={"name": "N"}),
        "DELETE /users/{id}": plain,
        "POST /users/{id}/invite": plain,
        "POST /users/{id}/end-sessions": plain,
        "GET /session": for_people,
        "DELETE /session": for_people,
        "POST /session/end-everywhere": for_people,
        "POST /session/password": for_people,
        "GET /webhooks": listed,
        "POST /webhooks": Case(body={**HOOK, "profile_ids": [ACME]}, stranger=unseen),
        "GET /webhooks/{id}": plain,
        "PATCH /webhooks/{id}": Case(body={"events": ["post.published"]}),
        "DELETE /webhooks/{id}": plain,
        "POST /webhooks/{id}/rotate": plain,
        "POST /webhooks/{id}/test": plain,
        "GET /webhooks/{id}/deliveries": plain,
        "GET /webhooks/{id}/deliveries/{delivery_id}": plain,
        "POST /webhooks/{id}/deliveries/{delivery_id}/redeliver": plain,
    }


#: What anybody may ask: nothing in it is anybody's, but for who has a link's token.
OPEN = {"GET /health/live", "GET /health/ready", "GET /calendar.ics"}
OPERATOR = ADMIN_KEY


def operations(api: Api) -> dict[str, Any]:
    """The API as it describes itself: by method and path below the prefix."""
    paths = api.get("/openapi.json", key=None).json["paths"]
    return {
        f"{method.upper()} {path.removeprefix(PREFIX)}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def front_cases(world: World) -> dict[str, Case]:
    """For each route of the Postiz-compatible front: what beta's key gets that names acme's."""
    ids = world.tenants[ACME].ids
    post = {
        "type": "schedule",
        "date": DATED["schedule_date"],
        "shortLink": False,
        "tags": [],
        "posts": [{"integration": {"id": "int-acme"}, "value": [{"content": "x", "image": []}]}],
    }
    window = "?startDate=2020-01-01&endDate=2035-01-01"
    own, unknown, refused = Case(stranger=(200,)), Case(), Case(stranger=(501,), owner=(501,))
    return {
        "GET /is-connected": own,
        "GET /integrations": own,
        "GET /groups": own,
        "GET /posts": Case(query=window, stranger=(200,)),
        "POST /posts": Case(body=post, stranger=(400,)),
        "DELETE /posts/<id>": Case(stranger=(500,)),
        "DELETE /posts/group/<group>": own,
        "PUT /posts/<id>/status": Case(body={"status": "draft"}, stranger=(400,)),
        "PUT /posts/<id>/settings": Case(body={"settings": {"a": 1}}),
        "PUT /posts/<id>/release-id": Case(body={"releaseId": "1"}, stranger=(500,), owner=(500,)),
        "GET /posts/<id>/missing": own,
        "GET /find-slot/<channel_id>": unknown,
        "GET /integration-settings/<channel_id>": unknown,
        "POST /integration-trigger/<channel_id>": Case(body={"methodName": "none"}, owner=(404,)),
        "GET /analytics/<channel_id>": Case(owner=(404,)),  # the sandbox has none
        "GET /analytics/post/<id>": own,
        "GET /notifications": own,
        "POST /upload": Case(stranger=(400,), owner=(400,)),
        "POST /upload-from-url": Case(stranger=(400,), owner=(400,)),
        f"GET /media/pressroom-{ids['media']}.png": unknown,
        "POST /generate-video": refused,
        "POST /video/function": refused,
        "GET /social/<network>": refused,
        "DELETE /integrations/<channel_id>": refused,
    }
