"""Files on their way in: whole at their place, or gone."""

import errno
import os
import time
from pathlib import Path

import pytest

from shared.errors import (
    FileMissing,
    InvalidRequest,
    PressroomError,
    StorageAway,
    StorageFull,
    TooLarge,
    UnsupportedMedia,
)
from shared.media.ingest import Receiver
from shared.storage.base import key_of
from shared.storage.factory import open_storage
from shared.storage.filesystem import FolderStorage, IncomingFile

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_kept_file_is_found_under_its_key(storage: FolderStorage, tmp_path: Path) -> None:
    with storage.receive() as incoming:
        receiver = Receiver(incoming, "a.png")
        receiver.write(PNG[:5])
        receiver.write(PNG[5:])
        received = receiver.finish()
        key = received.keep("acme")
    assert key == key_of("acme", received.sha256)
    assert (received.size, received.mime, received.name) == (len(PNG), "image/png", "a.png")
    with storage.open(key) as file:
        assert file.read() == PNG
    assert storage.size(key) == len(PNG)
    assert files(tmp_path) == [tmp_path / key]


def test_a_file_that_is_not_kept_is_gone(storage: FolderStorage, tmp_path: Path) -> None:
    with storage.receive() as incoming:
        incoming.write(PNG)
        assert len(files(tmp_path)) == 1
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", InvalidRequest),
        (b"words", UnsupportedMedia),
        (b"words" * 100, UnsupportedMedia),
        (b"GIF89a" + b"\0" * 10 * 1024**2, TooLarge),
    ],
)
def test_a_refused_file_leaves_nothing(
    storage: FolderStorage, tmp_path: Path, content: bytes, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal), storage.receive() as incoming:
        receiver = Receiver(incoming)
        receiver.write(content)
        receiver.finish()
    assert files(tmp_path) == []


def test_an_image_of_exactly_the_limit_is_taken(storage: FolderStorage) -> None:
    with storage.receive() as incoming:
        receiver = Receiver(incoming)
        receiver.write(b"GIF89a" + b"\0" * (10 * 1024**2 - 6))
        assert receiver.finish().size == 10 * 1024**2


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_full_disk_is_told_as_such_and_leaves_nothing(
    storage: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageFull), storage.receive() as incoming:
        if step == "write":
            assert isinstance(incoming, IncomingFile)
            monkeypatch.setattr(incoming, "_file", open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
        else:
            monkeypatch.setattr(os, "fsync", full)
        incoming.write(PNG)
        incoming.finish()
    assert files(tmp_path) == []


def test_what_a_killed_process_began_is_cleared_away(
    storage: FolderStorage, tmp_path: Path
) -> None:
    old, fresh = storage.receive(), storage.receive()
    hours_ago = time.time() - 7200
    os.utime(old._path, (hours_ago, hours_ago))
    storage.remove_abandoned()
    assert files(tmp_path) == [fresh._path]


def test_a_missing_file_is_an_error_with_advice(storage: FolderStorage) -> None:
    with pytest.raises(PressroomError, match="no longer"):
        storage.open("acme/ab/abcd")
    storage.delete("acme/ab/abcd")
    assert not storage.exists("acme/ab/abcd")


@pytest.mark.parametrize("key", ["../etc/passwd", "acme/../../x", "/etc/passwd"])
def test_a_key_never_leads_out_of_the_folder(storage: FolderStorage, key: str) -> None:
    with pytest.raises(PressroomError, match="not a storage key"):
        storage.open(key)


@pytest.mark.parametrize("url", ["", "/var/media", "ftp://x/y", "file://host/media", "file://"])
def test_an_address_that_is_no_folder_is_named(url: str) -> None:
    with pytest.raises(PressroomError, match="PRESSROOM_MEDIA_URL"):
        open_storage(url)


def test_a_piece_is_durable_when_it_is_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes, its name, and the name of its folder."""
    synced: list[str] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    pieces = FolderStorage(tmp_path).pieces
    pieces.put("upload", "first", b"abc")
    assert synced == [".", "_partial", "_partial/upload/first", "_partial/upload"]
    assert pieces.read("upload", "first") == b"abc"
    with pytest.raises(StorageAway):  # a name is given once
        pieces.put("upload", "first", b"other")
    assert list(pieces.owners()) == ["upload"]
    pieces.remove_all("upload")
    pieces.remove_all("upload")
    assert list(pieces.owners()) == []
    with pytest.raises(FileMissing):
        pieces.read("upload", "first")
