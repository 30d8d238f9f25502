"""Uploads straight into a bucket: checked as a whole before they are anything."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import requests
from sqlalchemy import update

from shared.models import IncomingUpload
from shared.storage.s3_direct import DirectObject
from tests.factories.files import FILES
from tests.integration.web.uploads.test_resumable import TUS, created, head, patch, uploads
from tests.servers.api import Api, Reply
from tests.servers.buckets import Bucket
from tests.timing.patience import PATIENCE

PART = 5 * 1024**2  # the smallest that a bucket takes


@pytest.fixture
def api(bucket_api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr("shared.storage.s3_direct.DIRECT_PART", PART)
    return bucket_api


def film(size: int) -> bytes:
    head = FILES.mp4()
    return head + (size - len(head)).to_bytes(4, "big") + b"free" + bytes(size - len(head) - 8)


def begin(api: Api, content: bytes, **more: Any) -> Reply:
    declared = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    body = {**declared, "mime": "video/mp4", "filename": "a.mp4", **more}
    return api.post("/media/direct", body, profile="acme")


def send(begun: Reply, content: bytes) -> None:
    start = 0
    for part in begun.json["parts"]:
        piece = content[start : start + part["size"]]
        assert requests.put(part["url"], data=piece, timeout=PATIENCE).ok
        start += part["size"]
    assert start == len(content)


def complete(api: Api, begun: Reply) -> Reply:
    return api.post(f"/media/direct/{begun.json['id']}/complete")


def test_what_is_sent_straight_into_the_bucket_becomes_a_medium(api: Api, bucket: Bucket) -> None:
    content = film(PART + 5000)
    begun = begin(api, content, external_id="e1")
    assert (begun.status_code, len(begun.json["parts"])) == (201, 2), begun.text
    early = complete(api, begun)
    assert (early.status_code, early.json["code"]) == (409, "parts_missing")
    send(begun, content)
    done = complete(api, begun)
    assert done.status_code == 202, done.text
    media, job = done.json["media"], done.json["job"]
    assert (media["mime"], media["width"], media["size"]) == ("video/mp4", 64, len(content))
    assert (job["kind"], job["external_id"], job["total"]) == ("upload", "e1", 1)
    again = complete(api, begun).json
    assert (again["job"]["id"], again["media"]) == (job["id"], media), "the same, asked for again"
    assert media["duplicate"] is False
    assert bucket.names() == [f"media/acme/{media['sha256'][:2]}/{media['sha256']}"]
    assert bucket.unfinished() == 0
    part = api.download(f"/media/{media['id']}/file", headers={"Range": "bytes=4-11"})
    assert part == content[4:12]
    assert api.upload(content, profile="acme").json["media"]["duplicate"]
    assert api.get(f"/media/{media['id']}/thumbnail").mimetype == "image/jpeg"


def test_what_is_not_as_declared_is_refused_and_gone(api: Api, bucket: Bucket) -> None:
    content = film(5000)
    for declared, sent, status, code in (
        ({"sha256": "ab" * 32}, content, 422, "content_mismatch"),
        ({"mime": "image/png"}, content, 422, "content_mismatch"),
        ({}, b"<html>" + content[6:], 415, "unsupported_media"),
    ):
        begun = begin(api, content, **declared)
        send(begun, sent)
        refused = complete(api, begun)
        assert (refused.status_code, refused.json["code"]) == (status, code)
        assert complete(api, begun).status_code == 404
    assert (bucket.names(), bucket.unfinished(), uploads(api)) == ([], 0, [])
    short = begin(api, content)
    assert requests.put(short.json["parts"][0]["url"], data=content[:-1], timeout=PATIENCE)
    assert complete(api, short).json["code"] == "parts_missing"


def test_what_cannot_be_published_gets_no_address(api: Api, bucket: Bucket) -> None:
    for more, status in (
        ({"mime": "text/html"}, 415),
        ({"mime": "image/png", "size": 11 * 1024**2}, 413),
        ({"size": 2 * 1024**3}, 400),
        ({"size": 0}, 400),
        ({"sha256": "AB"}, 400),
        ({"parts": 2}, 400),
    ):
        assert begin(api, film(5000), **more).status_code == status, more
    assert (bucket.unfinished(), uploads(api)) == (0, [])


def test_what_is_given_up_or_expires_leaves_nothing_in_the_bucket(api: Api, bucket: Bucket) -> None:
    content = film(PART + 5000)
    given_up, expired = begin(api, content), begin(api, content)
    for begun in (given_up, expired):
        send(begun, content)
    assert api.call("DELETE", f"/media/direct/{given_up.json['id']}").status_code == 204
    assert bucket.unfinished() == 1
    with api.services.database.transaction() as session:
        session.execute(update(IncomingUpload).values(expires_at=IncomingUpload.created_at))
    assert complete(api, expired).status_code == 410
    api.services.storage.pieces.remove_all(uploads(api)[0].owner)
    assert (bucket.names(), bucket.unfinished()) == ([], 0)


def test_a_crash_after_the_parts_were_joined_is_gone_on_from(api: Api, bucket: Bucket) -> None:
    content = film(PART + 5000)
    begun = begin(api, content)
    send(begun, content)
    [row] = uploads(api)
    direct = api.services.storage.direct
    assert direct is not None and row.remote_id is not None
    direct.complete(row.owner, row.remote_id, row.size)
    assert complete(api, begun).status_code == 202
    assert len(bucket.names()) == 1


def test_what_cannot_be_finished_now_is_finished_later_without_being_sent_again(
    api: Api, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request goes on with it meanwhile; or the profile has no room left."""
    content = film(PART + 5000)
    begun = begin(api, content)
    send(begun, content)
    with monkeypatch.context() as copying:
        copying.setattr(DirectObject, "prepare", overtaken(api, DirectObject.prepare))
        assert complete(api, begun).json["code"] == "claim_lost"
    allow_bytes(api, 1)
    assert complete(api, begun).json["code"] == "quota_exceeded"
    allow_bytes(api, 10**9)
    done = complete(api, begun)
    assert done.status_code == 202, done.text
    assert bucket.names() == [f"media/acme/{sha256_of(content)[:2]}/{sha256_of(content)}"]


def allow_bytes(api: Api, most: int) -> None:
    quotas = {"quotas": {"media_bytes": most}}
    assert api.call("PATCH", "/profiles/acme", json=quotas).status_code == 200


def overtaken(api: Api, prepare: Callable[[DirectObject, str], None]) -> Any:
    """The copy takes so long that the claim ends, and another request has it."""

    def prepare_slowly(incoming: DirectObject, key: str) -> None:
        prepare(incoming, key)
        with api.services.database.transaction() as session:
            session.execute(update(IncomingUpload).values(claim=1, lease_until=None))

    return prepare_slowly


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_resumable_upload_keeps_its_pieces_in_the_bucket(
    api: Api, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.uploads.piece_writer.PIECE", 1000)
    content = film(5000)
    path = created(api, len(content))
    for start in range(0, 4500, 900):
        assert patch(api, path, start, content[start : start + 900]).status_code == 204
    [row] = uploads(api)
    assert len(row.pieces) == len(bucket.names()) == 5
    assert list(api.services.storage.pieces.owners()) == [row.owner]
    assert list(api.services.storage.stored()) == [], "no files that the cleaning misses a row of"
    done = patch(api, path, 4500, content[4500:])
    assert api.download(f"/media/{done.headers['Pressroom-Media-Id']}/file") == content
    assert len(bucket.names()) == 1
    unfinished = created(api, len(content))
    patch(api, unfinished, 0, content[:1500])
    assert api.call("DELETE", unfinished, headers=TUS).status_code == 204
    assert len(bucket.names()) == 1
    assert head(api, unfinished).status_code == 404


def test_a_bucket_that_is_away_loses_no_byte_that_was_told(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = film(5000)
    path = created(api, len(content))
    assert patch(api, path, 0, content[:3000]).status_code == 204
    with monkeypatch.context() as away:
        away.setattr(api.services.storage.pieces, "_bucket", "nobodys")
        refused = patch(api, path, 3000, content[3000:])
        assert (refused.status_code, refused.json["code"]) == (503, "storage_away")
    assert head(api, path).headers["Upload-Offset"] == "3000"
    done = patch(api, path, 3000, content[3000:])
    assert api.download(f"/media/{done.headers['Pressroom-Media-Id']}/file") == content
