"""The storage in a bucket, on a real S3 server: whole at its place, or gone."""

import io
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from local.ports import free_port
from local.sandbox.process import SandboxProcess
from shared.config import read_settings
from shared.db import Database
from shared.errors import FileMissing, PressroomError, StorageAway, TooLarge
from shared.media import repository
from shared.media.ingest import Receiver
from shared.models import Profile
from shared.storage.base import Storage, key_of
from shared.storage.factory import open_storage
from shared.storage.s3 import BucketStorage
from shared.storage.s3_multipart import PART
from tests.factories.files import FILES
from tests.servers.api import Api
from tests.servers.buckets import BUCKET, Bucket
from tests.workers.runtimes import make_runtime
from worker.media import upload

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
#: Three parts, the last of them whole: where cutting goes wrong, it does here.
LARGE = os.urandom(PART) * 3


@pytest.fixture(scope="module")
def opened(bucket_server: Bucket) -> Storage:
    """Opened once: a client takes longer than most of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket_server.environ.items():
            patch.setenv(name, value)
        return open_storage(bucket_server.url)


@pytest.fixture
def storage(bucket: Bucket, opened: Storage) -> Storage:
    assert bucket.names() == []
    return opened


def keep(storage: Storage, content: bytes, key: str) -> None:
    with storage.receive() as incoming:
        for start in range(0, len(content), 1024**2):
            incoming.write(content[start : start + 1024**2])
        incoming.finish()
        with incoming.read_back() as file:
            assert file.read() == content
        incoming.keep(key)


@pytest.mark.parametrize("content", [b"x", LARGE[:PART], LARGE[: PART + 1], LARGE])
def test_a_kept_file_is_found_under_its_key_and_nothing_else_is_left(
    storage: Storage, bucket: Bucket, content: bytes
) -> None:
    key = key_of("acme", "ab" * 32)
    assert not storage.exists(key)
    keep(storage, content, key)
    assert bucket.names() == [f"media/{key}"]
    assert bucket.unfinished() == 0
    assert storage.exists(key)
    assert storage.size(key) == len(content)
    with storage.open(key) as file:
        assert file.read() == content
        assert file.seek(-1, io.SEEK_END) == len(content) - 1
        assert file.read(2) == content[-1:]
        assert file.seek(0) == 0
        assert file.read(9) == content[:9]
    assert [each.key for each in storage.stored()] == [key]
    storage.delete(key)
    storage.delete(key)
    assert bucket.names() == []


def test_a_video_in_a_bucket_tells_its_facts(storage: Storage) -> None:
    padded = FILES.mp4() + _free_box(PART)
    with storage.receive() as incoming:
        receiver = Receiver(incoming, "a.mp4")
        receiver.write(padded)
        received = receiver.finish()
    assert (received.facts.width, received.facts.height) == (64, 96)


def _free_box(size: int) -> bytes:
    return size.to_bytes(4, "big") + b"free" + b"\0" * (size - 8)


def test_a_large_file_is_never_held_in_memory(storage: Storage) -> None:
    """Neither on its way in nor out: it is three times what it may take."""
    ours, piece = psutil.Process(), os.urandom(1024**2)
    keep(storage, LARGE, "acme/ab/first")  # what is made once
    before, most = ours.memory_info().rss, 0
    with storage.receive() as incoming:
        for _ in range(96):
            incoming.write(piece)
            most = max(most, ours.memory_info().rss)
        incoming.finish()
        incoming.keep("acme/ab/large")
    with storage.open("acme/ab/large") as file:
        while file.read(1024**2):
            most = max(most, ours.memory_info().rss)
    assert most - before < 32 * 1024**2


@pytest.mark.parametrize("size", [10, PART + 10, 3 * PART])
@pytest.mark.parametrize("finished", [False, True])
def test_a_file_that_is_not_kept_leaves_nothing(
    storage: Storage, bucket: Bucket, size: int, finished: bool
) -> None:
    with storage.receive() as incoming:
        incoming.write(LARGE[:size])
        if size > PART:
            assert bucket.unfinished() == 1
        if finished:
            incoming.finish()
    assert (bucket.names(), bucket.unfinished()) == ([], 0)


def test_a_file_that_is_refused_on_the_way_leaves_nothing(storage: Storage, bucket: Bucket) -> None:
    with pytest.raises(TooLarge), storage.receive() as incoming:
        receiver = Receiver(incoming)
        receiver.write(b"GIF89a" + b"\0" * (9 * 1024**2))
        assert bucket.unfinished() == 1
        receiver.write(b"\0" * 2 * 1024**2)
    assert (bucket.names(), bucket.unfinished()) == ([], 0)


def test_what_a_killed_process_began_is_cleared_away(storage: Storage, bucket: Bucket) -> None:
    keep(storage, PNG, "acme/ab/kept")
    parts, whole = storage.receive(), storage.receive()
    parts.write(LARGE)
    whole.write(LARGE)
    whole.finish()
    assert bucket.unfinished() == 1
    storage.remove_abandoned(idle_seconds=3600)
    assert bucket.unfinished() == 1
    assert len(bucket.names()) == 2
    storage.remove_abandoned(idle_seconds=-60)
    assert (bucket.names(), bucket.unfinished()) == (["media/acme/ab/kept"], 0)
    with pytest.raises(StorageAway):  # its process goes on after all: it hears so
        parts.write(LARGE)


def test_what_is_still_coming_in_is_no_file_of_ours(storage: Storage) -> None:
    whole = storage.receive()
    whole.write(LARGE)
    whole.finish()
    assert list(storage.stored()) == []
    whole.discard()


def test_a_missing_file_is_an_error_with_advice(storage: Storage) -> None:
    with pytest.raises(FileMissing, match="Upload it again"):
        storage.open("acme/ab/abcd")
    with pytest.raises(PressroomError, match="not a storage key"):
        storage.open("acme/../x")


def test_a_bucket_that_is_not_there_or_away_is_told_as_such(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageAway, match="NoSuchBucket"):
        keep(open_storage("s3://nobodys"), PNG, "acme/ab/abcd")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    away = open_storage(bucket.url)
    for call in (lambda: away.exists("a/b/c"), lambda: list(away.stored())):
        with pytest.raises(StorageAway, match=BUCKET):
            call()
    with away.receive() as incoming, pytest.raises(StorageAway):
        incoming.write(LARGE)


def test_settings_that_make_no_client_are_named(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no-address")
    with pytest.raises(PressroomError, match="no-address"):
        open_storage(bucket.url)


def test_a_bucket_needs_no_prefix(bucket: Bucket) -> None:
    storage = open_storage(f"s3://{BUCKET}")
    keep(storage, PNG, "acme/ab/abcd")
    assert bucket.names() == ["acme/ab/abcd"]


def test_the_bucket_is_opened_without_a_word_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    storage = open_storage(f"s3://{BUCKET}/deep/er")
    assert isinstance(storage, BucketStorage)
    assert storage.root == "deep/er/"


def test_an_upload_goes_through_the_bucket_to_postiz(
    bucket_api: Api, bucket: Bucket, postiz: SandboxProcess, database_url: str, tmp_path: Path
) -> None:
    content = FILES.mp4() + _free_box(PART)
    reply = bucket_api.upload(content, profile="acme")
    assert reply.status_code == 202, reply.text
    [name] = bucket.names()
    assert name.endswith(reply.json["media"]["sha256"])
    runtime = make_runtime(database_url, tmp_path, PRESSROOM_MEDIA_URL=bucket.url)
    try:
        upload.upload_medium(runtime, 1)
    finally:
        runtime.close()
    [sent] = postiz.admin.ledger(kind="upload")
    assert sent["sha256"] == reply.json["media"]["sha256"]


OPEN = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
)


def test_no_transaction_waits_while_the_bucket_copies_a_file(
    bucket_api: Api, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = bucket_api.services.storage
    assert isinstance(storage, BucketStorage)
    client = storage.client
    copy, waiting = client.copy, []

    def noting(*args: Any, **more: Any) -> None:
        with bucket_api.services.database.engine.connect() as connection:
            waiting.append(connection.scalar(OPEN))
        copy(*args, **more)

    monkeypatch.setattr(client, "copy", noting)
    content = FILES.mp4() + _free_box(PART)
    assert bucket_api.upload(content, profile="acme").status_code == 202
    assert waiting == [0]
    assert bucket_api.upload(content, profile="acme").json["media"]["duplicate"] is True
    assert waiting == [0]  # what is there already is not copied again
    assert len(bucket.names()) == 1


def test_a_file_that_is_removed_before_its_row_is_made_is_brought_again(
    storage: Storage, bucket: Bucket, database_url: str
) -> None:
    database = Database.connect(read_settings({"DATABASE_URL": database_url}))
    with storage.receive() as incoming:
        receiver = Receiver(incoming)
        receiver.write(FILES.mp4() + _free_box(PART))
        received = receiver.finish()
        received.prepare(storage, "acme")
        storage.delete(key_of("acme", received.sha256))  # by the hourly cleaning
        with database.transaction() as session:
            session.add(Profile(id="acme", name="Acme", tts_settings={}))
            session.flush()
            row, _ = repository.add_file(session, storage, "acme", received)
    assert row.storage_key is not None and storage.exists(row.storage_key)
    assert len(bucket.names()) == 1
    database.close()


def test_a_bucket_that_is_away_is_a_503_with_nothing_accepted(
    bucket_api: Api, monkeypatch: pytest.MonkeyPatch, bucket: Bucket
) -> None:
    monkeypatch.setattr(bucket_api.services.storage, "bucket", "nobodys")
    before = bucket_api.rows()
    for content in (FILES.png(), FILES.mp4() + _free_box(PART)):
        reply = bucket_api.upload(content, profile="acme")
        assert (reply.status_code, reply.json["code"]) == (503, "storage_away"), reply.text
        assert int(reply.headers["Retry-After"]) > 0
    assert bucket_api.rows() == before
    assert (bucket.names(), bucket.unfinished()) == ([], 0)


def test_a_profile_is_deleted_though_its_bucket_is_away(
    bucket_api: Api, monkeypatch: pytest.MonkeyPatch, bucket: Bucket
) -> None:
    assert bucket_api.upload(FILES.png(), profile="acme").status_code == 202
    with monkeypatch.context() as away:
        away.setattr(bucket_api.services.storage, "bucket", "nobodys")
        assert bucket_api.call("DELETE", "/profiles/acme").status_code == 204
    assert bucket_api.rows()["media"] == 0
    assert len(bucket.names()) == 1  # the cleaning's to remove
