"""Uploads: streamed, recognised, kept once per profile, and never half."""

import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from shared.errors import InvalidRequest, QuotaExceeded, Transient, UnsupportedMedia
from shared.media import repository
from shared.models import AccountMedia, Job, Media
from shared.net import address_policy
from shared.net.outbound_route import Route
from tests.factories.files import FILES
from tests.servers.api import Api
from tests.servers.settings import make_settings
from web.request_parsing import upload_items

MOV = b"\0\0\0\x20ftypqt  " + b"\0" * 100


def test_a_video_is_accepted_with_its_facts(api: Api) -> None:
    reply = api.upload(FILES.mp4(), name="clip.mp4", profile="acme", fields={"external_id": "e1"})
    assert reply.status_code == 202
    shown, job = reply.json["media"], reply.json["job"]
    assert (shown["mime"], shown["width"], shown["height"]) == ("video/mp4", 64, 96)
    assert shown["duration"] == pytest.approx(2.0, abs=0.2)
    assert shown["size"] == len(FILES.mp4())
    assert (shown["codec"], shown["brand"]) == ("mpeg4", "isom")
    assert shown["duplicate"] is False
    assert (job["kind"], job["total"], job["external_id"]) == ("upload", 1, "e1")
    assert job["counts"] == {"pending": 1}
    assert reply.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert api.get(f"/jobs/{job['id']}").json["state"] == "queued"
    assert [path.read_bytes() for path in api.files()] == [FILES.mp4()]


def test_a_video_that_cannot_be_read_is_accepted_with_unknown_facts(api: Api) -> None:
    broken = FILES.mp4()[:200]
    reply = api.upload(broken, name="clip.mp4", profile="acme")
    assert reply.status_code == 202
    shown = reply.json["media"]
    assert (shown["mime"], shown["size"], shown["brand"]) == ("video/mp4", 200, "isom")
    assert [shown[name] for name in ("width", "height", "duration", "codec")] == [None] * 4


def test_the_same_file_again_is_a_duplicate_with_a_job_of_its_own(api: Api) -> None:
    first, second = (api.upload(FILES.png(), profile="acme").json for _ in range(2))
    assert second["media"]["id"] == first["media"]["id"]
    assert (first["media"]["duplicate"], second["media"]["duplicate"]) == (False, True)
    assert first["job"]["id"] != second["job"]["id"]
    assert len(api.files()) == 1


def test_another_profile_has_its_own_copy(api: Api) -> None:
    settings = api.get("/profiles/acme/credentials").json["api_url"]
    postiz = {"api_url": settings, "api_key": "sandbox-other-key"}
    api.post("/profiles", {"id": "b", "name": "B", "tts_settings": {"postiz": postiz}})
    ids = [api.upload(FILES.png(), profile=name).json["media"]["id"] for name in ("acme", "b")]
    assert ids[0] != ids[1]
    assert len(api.files()) == 2


def test_twins_at_the_same_moment_become_one_file(api: Api) -> None:
    replies: list[dict[str, Any]] = []
    content = FILES.mp4(7)

    def send() -> None:
        replies.append(api.upload(content, profile="acme").json)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({reply["media"]["id"] for reply in replies}) == 1
    assert sorted(reply["media"]["duplicate"] for reply in replies) == [False] + [True] * 5
    assert len(api.files()) == 1
    assert api.rows()["account_media"] == 1


def test_a_file_that_is_in_postiz_already_is_a_job_already_done(api: Api) -> None:
    api.upload(FILES.png(), profile="acme")
    _set_uploads(api, state="uploaded")
    job = api.upload(FILES.png(), profile="acme").json["job"]
    assert (job["state"], job["percentage"]) == ("completed", 100)
    assert job["finished_at"] is not None


def test_a_file_that_failed_before_is_tried_again(api: Api) -> None:
    api.upload(FILES.png(), profile="acme")
    _set_uploads(api, state="failed", error_message="no")
    assert api.upload(FILES.png(), profile="acme").json["job"]["state"] == "queued"


def _set_uploads(api: Api, **values: object) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(AccountMedia).values(**values))


REFUSED = [
    (MOV, 415, "ffmpeg"),
    (b"\0\0\0\x20ftypM4V " + b"\0" * 99, 415, "M4V"),
    (b"\0\0\0\x20ftyp3gp5" + b"\0" * 99, 415, "3GP"),
    (b"\x1a\x45\xdf\xa3" + b"\0" * 99, 415, "WebM"),
    (b"\0\0\0\x20ftypavif" + b"\0" * 99, 415, "AVIF"),
    (b"BM" + b"\0" * 99, 415, "BMP"),
    (b"II*\0" + b"\0" * 99, 415, "TIFF"),
    (b"some text", 415, "not an image or video"),
    (b"", 400, "empty"),
    (b"\x89PNG\r\n\x1a\n" + b"\0" * 10 * 1024**2, 413, "10 MiB"),
]


@pytest.mark.parametrize(("content", "status", "words"), REFUSED)
def test_what_postiz_would_refuse_is_refused_with_advice_and_leaves_nothing(
    api: Api, content: bytes, status: int, words: str
) -> None:
    before = api.rows()
    reply = api.upload(content, profile="acme", name="declared.mp4")
    assert (reply.status_code, reply.mimetype) == (status, "application/problem+json")
    assert words in reply.json["detail"]
    assert api.rows() == before
    assert api.files() == []


def test_a_broken_image_is_accepted_without_facts(api: Api) -> None:
    reply = api.upload(b"\xff\xd8\xff\xe0" + b"\0" * 100, profile="acme")
    assert reply.status_code == 202
    assert reply.json["media"]["width"] is None


def test_an_upload_needs_credentials_before_it_is_read(bare_api: Api) -> None:
    bare_api.post("/profiles", {"id": "plain", "name": "P"})
    reply = bare_api.upload(FILES.png(), profile="plain")
    assert (reply.status_code, reply.json["code"]) == (400, "not_configured")
    for word in ("tts_settings", "postiz", "PATCH", "POSTIZ_API_URL", "POSTIZ_API_KEY"):
        assert word in reply.json["detail"]
    assert bare_api.files() == []


def _form(**parts: object) -> dict[str, Any]:
    return {"data": parts, "content_type": "multipart/form-data"}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        (_form(file=(io.BytesIO(b"GIF89a" + b"\0" * 9), "a"), extra="1"), "extra"),
        (_form(other=(io.BytesIO(b"GIF89a" + b"\0" * 9), "a")), "other"),
        (_form(external_id="x"), "file"),
        (
            _form(file=(io.BytesIO(b"GIF89a" + b"\0" * 9), "a"), external_id="x" * 256),
            "external_id",
        ),
        (
            _form(file=[(io.BytesIO(b"GIF89a" + b"\0" * 9), n) for n in "ab"]),
            "file",
        ),
        ({"data": b"--b\r\nContent-Disp", "content_type": "multipart/form-data; boundary=b"}, None),
        ({"data": b"x", "content_type": "multipart/form-data"}, None),
        ({"data": b"x", "content_type": "image/png"}, None),
        ({"data": b""}, "url"),
        ({"json": {}}, "url"),
        ({"json": {"url": 5}}, "url"),
        ({"json": {"url": "http://a.b/c.mp4", "extra": 1}}, "extra"),
        ({"json": {"url": "ftp://a.b/c.mp4"}}, None),
        ({"json": {"url": "file:///etc/passwd"}}, None),
        ({"json": {"url": "http://user:pw@a.b/c.mp4"}}, None),
        ({"json": {"url": "http://a.b:x/c.mp4"}}, None),
        ({"json": {"url": "http://["}}, "url"),
        ({"json": {"url": "http://" + "a" * 300}}, "url"),
        ({"json": {"url": "http://a.b/c\n.mp4"}}, "url"),
    ],
)
def test_a_malformed_upload_is_a_400_and_changes_nothing(
    api: Api, more: dict[str, Any], field: str | None
) -> None:
    before = api.rows()
    reply = api.call("POST", "/postiz/upload", profile="acme", **more)
    assert (reply.status_code, reply.mimetype) == (400, "application/problem+json"), reply.text
    if field is not None:
        assert reply.json["errors"][0]["field"] == field
    assert api.rows() == before
    assert api.files() == []


def test_several_files_are_accepted_or_refused_one_by_one(api: Api) -> None:
    contents = [FILES.png(1), MOV, FILES.mp4(1), FILES.png(1)]
    files = [(io.BytesIO(content), f"{n}") for n, content in enumerate(contents)]
    reply = api.call("POST", "/postiz/bulk-upload", profile="acme", data={"file": files})
    assert reply.status_code == 202
    items = reply.json["items"]
    assert [(item["index"], item["ok"]) for item in items] == [
        (0, True),
        (1, False),
        (2, True),
        (3, True),
    ]
    assert items[1]["error"]["code"] == "unsupported_media"
    assert items[0]["media"]["id"] == items[3]["media"]["id"]
    assert (reply.json["job"]["kind"], reply.json["job"]["total"]) == ("bulk_upload", 3)
    assert len(api.files()) == 2


def test_a_bulk_without_any_good_file_is_a_422(api: Api) -> None:
    before = api.rows()
    files = [(io.BytesIO(MOV), "a"), (io.BytesIO(b"text"), "b")]
    reply = api.call("POST", "/postiz/bulk-upload", profile="acme", data={"file": files})
    assert reply.status_code == 422
    assert [fault["field"] for fault in reply.json["errors"]] == ["items.0", "items.1"]
    assert api.rows() == before
    assert api.files() == []


class _Source(BaseHTTPRequestHandler):
    """A web server of files, redirects and failures."""

    def do_GET(self) -> None:
        if self.path.startswith("/loop"):
            self._answer(302, {"Location": "/loop"})
        elif self.path.startswith("/moved"):
            self._answer(301, {"Location": "/a.png"})
        elif self.path.startswith("/to-nowhere"):
            self._answer(302, {"Location": "http://["})
        elif self.path.startswith("/to-file"):
            self._answer(302, {"Location": "file:///etc/passwd"})
        elif self.path == "/a.png":
            self._answer(200, {}, FILES.png(3))
        elif self.path == "/text":
            self._answer(200, {}, b"words and more words and more words")
        elif self.path == "/busy":
            self._answer(503, {})
        elif self.path == "/cut":
            self._answer(200, {"Content-Length": "9000"}, FILES.png(3))
        else:
            self._answer(404, {})

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Source)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def by_url(api: Api, url: str) -> int:
    reply = api.post("/postiz/upload", {"url": url, "external_id": "e"}, profile="acme")
    assert reply.status_code == 202, reply.text
    assert reply.json["media"]["sha256"] is None
    return int(reply.json["media"]["id"])


def fetch(api: Api, media_id: int, *, allow_private: bool = True) -> Media:
    database, storage = api.services.database, api.services.storage
    route = Route(allow_private=allow_private)
    repository.fetch_file(database, storage, media_id, route=route, settings=api.services.settings)
    with database.transaction() as session:
        return session.get_one(Media, media_id)


def test_a_fetched_file_is_not_kept_over_the_profile_s_quota(api: Api, source: str) -> None:
    one = {"quotas": {"media_bytes": 1}}
    assert api.call("PATCH", "/profiles/acme", json=one).status_code == 200
    medium = by_url(api, source + "/a.png")
    with pytest.raises(QuotaExceeded):
        fetch(api, medium)
    with api.services.database.transaction() as session:
        assert session.get_one(Media, medium).storage_key is None


@pytest.mark.parametrize("path", ["/a.png", "/moved", "/moved à l'été?q=1 2"])
def test_a_url_is_accepted_at_once_and_fetched_later(api: Api, source: str, path: str) -> None:
    row = fetch(api, by_url(api, source + path))
    assert (row.mime, row.size, row.width) == ("image/png", len(FILES.png(3)), 8)
    assert [file.read_bytes() for file in api.files()] == [FILES.png(3)]


def test_a_url_of_a_file_that_is_known_shares_it(api: Api, source: str) -> None:
    known = api.upload(FILES.png(3), profile="acme").json["media"]
    row = fetch(api, by_url(api, source + "/a.png"))
    assert repository.sha256_of(row) == known["sha256"]
    assert len(api.files()) == 1


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/none", InvalidRequest),
        ("/loop", InvalidRequest),
        ("/to-file", InvalidRequest),
        ("/to-nowhere", InvalidRequest),
        ("/text", UnsupportedMedia),
        ("/busy", Transient),
        ("/cut", Transient),
    ],
)
def test_what_cannot_be_fetched_tells_whether_it_may_be_later(
    api: Api, source: str, path: str, error: type[Exception]
) -> None:
    media_id = by_url(api, source + path)
    with pytest.raises(error):
        fetch(api, media_id)
    assert api.files() == []


def test_a_private_address_is_refused_at_once_and_again_when_fetched(api: Api, source: str) -> None:
    media_id = by_url(api, source + "/a.png")
    with pytest.raises(InvalidRequest, match="private"):
        fetch(api, media_id, allow_private=False)


PRIVATE = ("127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "0.0.0.0", "[::ffff:10.0.0.1]")


@pytest.fixture
def strict(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Api]:
    """It looks every name up; the profile's Postiz is at an address that needs no looking up."""
    environ = {"POSTIZ_API_URL": "http://203.0.113.1", "POSTIZ_API_KEY": "k"}
    private = {"PRESSROOM_ALLOW_PRIVATE_URLS": "0"}
    settings = make_settings(database_url, tmp_path, REDIS_URL=redis_url, **private, **environ)
    with closing(Api(settings)) as made:
        made.post("/profiles", {"id": "acme", "name": "A"})
        yield made


def test_private_addresses_are_a_400_where_they_are_not_allowed(strict: Api) -> None:
    for host in PRIVATE:
        reply = strict.post("/postiz/upload", {"url": f"http://{host}/a"}, profile="acme")
        assert (reply.status_code, reply.json["code"]) == (400, "private_address"), host
    assert strict.rows()["media"] == 0


def looked_up(
    monkeypatch: pytest.MonkeyPatch, *, seconds: float, found: Sequence[str]
) -> list[str]:
    """The names that are asked for from now on; each answer takes so long."""
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        time.sleep(seconds)
        return list(found)

    monkeypatch.setattr(address_policy, "resolve_host", resolve)
    return asked


def test_a_name_is_looked_up_once_for_all_rows_that_have_it(
    strict: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = looked_up(monkeypatch, seconds=0.0, found=[])
    items = [{"url": f"http://dead.example/{number}.png"} for number in range(1000)]
    reply = strict.post("/postiz/bulk-upload", {"items": items}, profile="acme")
    assert reply.status_code == 422, reply.text
    assert asked == ["dead.example"]


def test_names_that_nobody_answers_for_do_not_keep_a_request(
    strict: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are accepted, and looked up by the worker that fetches them."""
    monkeypatch.setattr(upload_items, "LOOKUP_SECONDS", 0.5)
    asked = looked_up(monkeypatch, seconds=0.1, found=[])
    items = [{"url": f"http://host{number}.example/a.png"} for number in range(200)]
    reply = strict.post("/postiz/bulk-upload", {"items": items}, profile="acme")
    accepted = [item["ok"] for item in reply.json["items"]]
    assert 1 <= len(asked) <= 6
    assert accepted == [False] * len(asked) + [True] * (200 - len(asked))


def test_several_urls_are_accepted_or_refused_one_by_one(api: Api, source: str) -> None:
    items = [{"url": source + "/a.png", "external_id": "e"}, {"url": "ftp://x/y"}]
    reply = api.post("/postiz/bulk-upload", {"items": items}, profile="acme")
    assert [item["ok"] for item in reply.json["items"]] == [True, False]
    assert reply.json["job"]["total"] == 1
    with api.services.database.transaction() as session:
        assert session.scalars(select(Job.kind)).all() == ["bulk_upload"]
