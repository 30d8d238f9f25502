"""Resumable uploads: as tus 1.0.0 has them, never half, and a medium in the end."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.models import IncomingUpload
from tests.factories.files import FILES
from tests.servers.api import Api, Reply
from web.uploads import receiving

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


def create(api: Api, size: int, **headers: str) -> Reply:
    sent = {**TUS, "Upload-Length": str(size), **headers}
    return api.call("POST", "/uploads", headers=sent, profile="acme")


def created(api: Api, size: int, **headers: str) -> str:
    """Its path below the prefix."""
    reply = create(api, size, **headers)
    assert reply.status_code == 201, reply.text
    return str(reply.headers["Location"].removeprefix("/api/v1"))


def patch(api: Api, path: str, offset: int, content: bytes, **headers: str) -> Reply:
    sent = {**BYTES, "Upload-Offset": str(offset), **headers}
    return api.call("PATCH", path, headers=sent, data=content)


def head(api: Api, path: str) -> Reply:
    return api.call("HEAD", path, headers=TUS)


def test_an_upload_in_parts_becomes_the_medium_that_an_upload_at_once_is(api: Api) -> None:
    content = FILES.mp4()
    name = base64.b64encode("föö.mp4".encode()).decode()
    mine = base64.b64encode(b"e1").decode()
    path = created(
        api, len(content), **{"Upload-Metadata": f"filename {name},external_id {mine},is_big"}
    )
    for start in range(0, len(content), 500):
        reply = patch(api, path, start, content[start : start + 500])
        assert reply.status_code == 204, reply.text
        assert "Upload-Expires" in reply.headers
    assert reply.headers["Upload-Offset"] == str(len(content))
    told = head(api, path)
    assert told.headers["Pressroom-Media-Id"] == reply.headers["Pressroom-Media-Id"]
    assert told.headers["Upload-Length"] == told.headers["Upload-Offset"] == str(len(content))
    assert told.headers["Upload-Metadata"] == f"filename {name},external_id {mine},is_big"
    assert told.headers["Cache-Control"] == "no-store"
    shown = api.get(f"/media/{reply.headers['Pressroom-Media-Id']}").json
    at_once = api.upload(content, profile="acme").json["media"]
    assert at_once["duplicate"] and at_once["id"] == shown["id"]
    same = set(at_once) - {"duplicate"}
    assert {name: shown[name] for name in same} == {name: at_once[name] for name in same}
    assert (shown["name"], shown["profile_id"], shown["used_by"]) == ("föö.mp4", "acme", 0)
    job = api.get(f"/jobs/{reply.headers['Pressroom-Job-Id']}").json
    assert (job["kind"], job["external_id"]) == ("upload", "e1")
    assert [path.read_bytes() for path in api.files()] == [content], "of its pieces none is left"


def uploads(api: Api) -> list[IncomingUpload]:
    with api.services.database.transaction() as session:
        return list(session.scalars(select(IncomingUpload).order_by(IncomingUpload.id)))


def change(api: Api, **values: Any) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(IncomingUpload).values(**values))


def checksum(content: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GIB = 1024**3
REFUSED_CREATIONS: list[tuple[Mapping[str, str], int, str]] = [
    ({"Tus-Resumable": "0.2.2"}, 412, "tus_version"),
    ({"Upload-Length": str(GIB + 1)}, 413, "too_large"),
    ({"Upload-Length": "0"}, 400, "empty_file"),
    ({"Upload-Length": "many"}, 400, "invalid_request"),
    ({"Upload-Length": "-1"}, 400, "invalid_request"),
    ({"Upload-Metadata": "filename ???"}, 400, "invalid_request"),
    ({"Upload-Metadata": "a YQ==,a YQ=="}, 400, "invalid_request"),
    ({"Upload-Metadata": "x" * 5000}, 400, "invalid_request"),
    ({"Upload-Metadata": f"filename {encoded(chr(0))}"}, 400, "invalid_request"),
    ({"Upload-Metadata": f"external_id {encoded('e' * 256)}"}, 400, "invalid_request"),
    ({"Upload-Checksum": "md5 YQ=="}, 400, "invalid_request"),
]


def test_what_cannot_become_an_upload_is_refused_before_its_bytes(api: Api) -> None:
    for headers, status, code in REFUSED_CREATIONS:
        reply = create(api, 100, **headers)
        assert (reply.status_code, reply.json["code"]) == (status, code), (headers, reply.text)
        assert reply.headers["Tus-Resumable"] == "1.0.0"
        assert ("Tus-Version" in reply.headers) == (status == 412)
    assert uploads(api) == []


def test_an_upload_of_unknown_length_or_to_no_postiz_is_refused(api: Api, bare_api: Api) -> None:
    deferred = api.call(
        "POST", "/uploads", headers={**TUS, "Upload-Defer-Length": "1"}, profile="acme"
    )
    assert (deferred.status_code, deferred.json["errors"][0]["field"]) == (400, "Upload-Length")
    assert api.post("/profiles", {"id": "plain", "name": "P"}).status_code == 201
    headers = {**TUS, "Upload-Length": "100"}
    reply = api.call("POST", "/uploads", headers=headers, profile="plain")
    assert (reply.status_code, reply.json["code"]) == (400, "not_configured")


PNG = FILES.png()
REFUSED_PATCHES: list[tuple[int, bytes, Mapping[str, str], int, str]] = [
    (0, PNG[:9], {"Tus-Resumable": ""}, 412, "tus_version"),
    (0, PNG[:9], {"Content-Type": "text/plain"}, 415, "content_type"),
    (5, PNG[:9], {}, 409, "wrong_offset"),
    (-1, PNG[:9], {}, 400, "invalid_request"),
    (0, PNG + b"x", {}, 413, "too_large"),
    (0, PNG[:40], {"Upload-Checksum": checksum(PNG[:41])}, 460, "checksum_mismatch"),
    (0, PNG[:40], {"Upload-Checksum": checksum(b"", "sha256")}, 460, "checksum_mismatch"),
    (0, PNG[:40], {"Upload-Checksum": "crc32 YQ=="}, 400, "invalid_request"),
    (0, PNG[:40], {"Upload-Checksum": "sha1 ?"}, 400, "invalid_request"),
]


def test_a_refused_part_leaves_the_upload_as_it_was(api: Api) -> None:
    path = created(api, len(PNG))
    for offset, content, headers, status, code in REFUSED_PATCHES:
        reply = patch(api, path, offset, content, **headers)
        assert (reply.status_code, reply.json["code"]) == (status, code), (headers, reply.text)
        assert head(api, path).headers["Upload-Offset"] == "0"
        assert api.files() == []
    sums = {"Upload-Checksum": checksum(PNG, "sha256")}
    assert "Pressroom-Media-Id" in patch(api, path, 0, PNG, **sums).headers


def test_what_postiz_would_refuse_is_refused_with_its_first_bytes_and_is_gone(api: Api) -> None:
    for content, size, status in (
        (b"<html>" * 20, 120, 415),
        (b"GIF89a" * 20, 11 * 1024**2, 413),
        (b"text", 4, 415),
    ):
        path = created(api, size)
        assert patch(api, path, 0, content).status_code == status
        assert head(api, path).status_code == 404
        assert (uploads(api), api.files()) == ([], [])


def test_the_first_bytes_may_come_with_the_creation(api: Api) -> None:
    more = {"Content-Type": BYTES["Content-Type"], "Idempotency-Key": "k1"}
    headers = {**TUS, "Upload-Length": str(len(PNG)), **more}
    send: dict[str, Any] = {"headers": headers, "profile": "acme"}
    begun = api.call("POST", "/uploads", data=PNG[:50], **send)
    assert (begun.status_code, begun.headers["Upload-Offset"]) == (201, "50")
    again = api.call("POST", "/uploads", data=PNG[:50], **send)
    for name in ("Location", "Upload-Offset"):
        assert again.headers[name] == begun.headers[name]
    assert again.headers["Idempotent-Replayed"] == "true"
    path = begun.headers["Location"].removeprefix("/api/v1")
    assert "Pressroom-Media-Id" in patch(api, path, 50, PNG[50:]).headers
    del headers["Idempotency-Key"]
    whole = api.call("POST", "/uploads", data=PNG, **send)
    assert whole.headers["Pressroom-Media-Id"] == head(api, path).headers["Pressroom-Media-Id"]
    before = len(uploads(api))
    wrong = {**headers, "Upload-Checksum": checksum(b"")}
    assert api.call("POST", "/uploads", data=PNG, headers=wrong, profile="acme").status_code == 460
    assert len(uploads(api)) == before, "nobody knows where it would be"


def test_options_tell_what_is_spoken_to_whoever_has_a_key(api: Api) -> None:
    reply = api.call("OPTIONS", "/uploads")
    assert reply.status_code == 200
    assert reply.headers["Tus-Version"] == "1.0.0"
    assert reply.headers["Tus-Max-Size"] == str(GIB)
    assert reply.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    extensions = {"creation", "creation-with-upload", "expiration", "checksum", "termination"}
    assert set(reply.headers["Tus-Extension"].split(",")) == extensions
    assert api.call("OPTIONS", "/uploads", key=None).status_code == 401


def test_an_upload_that_is_given_up_is_gone_and_of_a_finished_one_the_medium_stays(
    api: Api,
) -> None:
    path = created(api, len(PNG))
    patch(api, path, 0, PNG[:50])
    assert len(api.files()) == 1
    assert api.call("DELETE", path, headers=TUS).status_code == 204
    assert api.files() == []
    assert patch(api, path, 50, PNG[50:]).status_code == 404
    path = created(api, len(PNG))
    medium = patch(api, path, 0, PNG).headers["Pressroom-Media-Id"]
    override = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert api.call("POST", path, headers=override).status_code == 204
    assert api.download(f"/media/{medium}/file") == PNG


def test_who_can_only_post_says_what_it_means(api: Api) -> None:
    path = created(api, len(PNG))
    sent = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert "Pressroom-Media-Id" in api.call("POST", path, headers=sent, data=PNG).headers
    del sent["Upload-Offset"]
    assert api.call("POST", path, headers=sent, data=PNG).status_code == 400
    assert api.call("POST", path, headers=TUS).status_code == 404


def test_whoever_is_told_the_last_byte_has_a_medium(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be made yet, the last byte is asked for once more."""
    path = created(api, len(PNG))
    size = str(len(PNG))
    quota: dict[str, Any] = {"quotas": {"media_bytes": len(PNG) - 1}}
    assert api.call("PATCH", "/profiles/acme", json=quota).status_code == 200
    assert patch(api, path, 0, PNG).json["code"] == "quota_exceeded"
    told = head(api, path).headers
    assert (told["Upload-Offset"], told["Upload-Length"]) == (str(len(PNG) - 1), size)
    assert "Pressroom-Media-Id" not in told
    assert api.rows()["media"] == api.rows()["jobs"] == 0
    quota = {"quotas": {"media_bytes": None}}
    assert api.call("PATCH", "/profiles/acme", json=quota).status_code == 200
    done = patch(api, path, len(PNG) - 1, PNG[-1:])
    assert done.headers["Upload-Offset"] == size
    assert api.download(f"/media/{done.headers['Pressroom-Media-Id']}/file") == PNG
    again = patch(api, path, len(PNG), b"")
    assert (again.status_code, again.headers["Pressroom-Media-Id"]) == (
        204,
        done.headers["Pressroom-Media-Id"],
    )
    assert api.rows()["jobs"] == 1


def test_while_one_sends_another_is_told_to_wait_and_after_a_crash_not_for_long(api: Api) -> None:
    path = created(api, len(PNG))
    patch(api, path, 0, PNG[:50])
    change(api, lease_until=func.now() + timedelta(seconds=60))
    busy = patch(api, path, 50, PNG[50:])
    assert (busy.status_code, busy.json["code"], busy.json["retryable"]) == (
        423,
        "upload_busy",
        True,
    )
    assert int(busy.headers["Retry-After"]) > 0
    assert head(api, path).headers["Upload-Offset"] == "50"
    dead = 12345
    for free in ({"holder": dead}, {"lease_until": func.now() - timedelta(seconds=1)}):
        change(api, lease_until=func.now() + timedelta(seconds=60))
        change(api, **free)
        assert patch(api, path, 50, b"").status_code == 204
    assert "Pressroom-Media-Id" in patch(api, path, 50, PNG[50:]).headers


def test_who_lost_its_claim_changes_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its host was stopped for so long that another request went on, with other bytes."""
    path = created(api, len(PNG))
    patch(api, path, 0, PNG[:50])
    read_body = receiving._read_body
    replies: list[Reply] = []

    def read_late(room: int) -> Iterator[bytes]:
        yield from read_body(room)
        monkeypatch.setattr(receiving, "_read_body", read_body)
        change(api, lease_until=None)
        replies.append(patch(api, path, 50, PNG[50:-1]))

    monkeypatch.setattr(receiving, "_read_body", read_late)
    late = patch(api, path, 50, b"?" * 9)
    assert (late.status_code, late.json["code"]) == (409, "claim_lost")
    assert replies[0].status_code == 204
    assert len(api.files()) == 1, "what the late one wrote is removed"
    done = patch(api, path, len(PNG) - 1, PNG[-1:])
    assert api.download(f"/media/{done.headers['Pressroom-Media-Id']}/file") == PNG


def test_how_many_uploads_are_open_and_how_large_is_bounded(api: Api) -> None:
    quotas = {"quotas": {"open_uploads": 2, "media_bytes": 1000}}
    assert api.call("PATCH", "/profiles/acme", json=quotas).status_code == 200
    paths = [created(api, 400) for _ in range(2)]
    for quota, size in (("open_uploads", 1), ("media_bytes", 601)):
        refused = create(api, size)
        assert refused.json["code"] == "quota_exceeded"
        assert [fault["field"] for fault in refused.json["errors"]] == [quota]
        if quota == "open_uploads":
            assert api.call("DELETE", paths.pop(), headers=TUS).status_code == 204
    shown = api.get("/profiles/acme").json["quotas"]
    assert (shown["open_uploads"]["used"], shown["media_bytes"]["used"]) == (1, 400)


def test_a_profile_is_deleted_with_its_unfinished_uploads(api: Api) -> None:
    path = created(api, len(PNG))
    patch(api, path, 0, PNG[:50])
    assert api.call("DELETE", "/profiles/acme").status_code == 204
    assert uploads(api) == []


def test_an_upload_whose_time_is_over_is_gone(api: Api) -> None:
    path = created(api, len(PNG))
    change(api, expires_at=func.now())
    for reply in (head(api, path), patch(api, path, 0, PNG), api.get(path)):
        assert reply.status_code == 410
    assert api.get(path).json["code"] == "gone"


@pytest.mark.parametrize("size", [9, 40, 64])
def test_however_it_is_cut_it_is_put_together_in_few_pieces(
    api: Api, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("shared.uploads.piece_writer.PIECE", 40)
    content = PNG[:120] + bytes(range(70))
    path = created(api, len(content))
    for start in range(0, len(content), size):
        before = patch(api, path, start, content[start : start + size])
        assert before.status_code == 204
        if start + size < len(content):
            [row] = uploads(api)
            assert len(row.pieces) == len(api.files()) == -(-(start + size) // 40)
    [kept] = api.files()
    assert kept.read_bytes() == content


def test_without_a_bucket_nothing_is_sent_straight_into_one(api: Api) -> None:
    body = {"size": 9, "sha256": "ab" * 32, "mime": "image/png"}
    reply = api.post("/media/direct", body, profile="acme")
    assert (reply.status_code, reply.json["code"]) == (400, "no_bucket")
