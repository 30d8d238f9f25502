"""Attack 4: no file makes the process grow that receives it, or keeps it waiting for long."""

import io
import os
import resource
import subprocess
import sys
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from local.child import ROOT
from shared.errors import Unavailable, Unprocessable
from shared.media import metadata, metadata_reader
from shared.media.metadata import Facts, read_facts, read_thumbnail
from tests.factories.files import FILES
from tests.factories.hostile_media import CORPUS, MP4, PNG, png
from tests.timing.patience import PATIENCE

GROWTH = 32 * 1024**2


@pytest.mark.parametrize("name", CORPUS)
def test_whoever_receives_it_does_not_grow(name: str) -> None:
    mime, content = CORPUS[name]
    read_facts(io.BytesIO(FILES.png()), mime="image/png")  # what is loaded once
    before = psutil.Process().memory_info().rss
    found = read_facts(io.BytesIO(content), mime=mime)
    assert isinstance(found, Facts)
    with suppress(Unprocessable):
        assert len(read_thumbnail(io.BytesIO(content), mime=mime)) < 32 * 1024
    assert psutil.Process().memory_info().rss - before < GROWTH
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < metadata_reader.MEMORY


def test_what_takes_too_much_memory_is_unreadable() -> None:
    """Fifty million pictures in some hundred bytes: their index would take 1.8 GB."""
    mime, content = CORPUS["a film of fifty million pictures"]
    assert len(content) < 1000
    assert read_facts(io.BytesIO(content), mime=mime).width is None


def test_the_largest_picture_that_is_read_fits() -> None:
    """Forty million points of four bytes."""
    rows = zlib.compress((b"\0" + bytes(4 * 8000)) * 5000)
    found = read_facts(io.BytesIO(png(8000, 5000, rows, color=6)), mime=PNG)
    assert (found.width, found.height) == (8000, 5000)
    small = read_thumbnail(io.BytesIO(png(8000, 5000, rows, color=6)), mime=PNG)
    assert read_facts(io.BytesIO(small), mime="image/jpeg").width == 320


def test_a_reader_that_says_nothing_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("import time\ntime.sleep(10_000)\n")
    monkeypatch.setattr(metadata_reader, "__file__", str(silent))
    monkeypatch.setattr(metadata, "_SECONDS", 0.5)
    began = time.monotonic()
    assert read_facts(io.BytesIO(FILES.mp4()), mime=MP4) == Facts()
    assert time.monotonic() - began < PATIENCE
    assert not [child for child in psutil.Process().children() if str(silent) in child.cmdline()]


def test_whoever_waits_for_others_for_long_goes_on_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metadata, "_TURN_SECONDS", 0.1)
    monkeypatch.setattr(metadata, "_AT_ONCE", threading.BoundedSemaphore(1))
    with metadata._AT_ONCE:
        assert read_facts(io.BytesIO(FILES.mp4()), mime=MP4) == Facts()
        with pytest.raises(Unavailable):
            read_thumbnail(io.BytesIO(FILES.mp4()), mime=MP4)
    assert read_facts(io.BytesIO(FILES.mp4()), mime=MP4) != Facts()


@pytest.mark.parametrize(
    "answer",
    [b"", b"null", b'{"width": -1}', b'{"codec": "a b"}', b'{"duration": NaN}', b"{" * 9999],
)
def test_what_it_says_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    lying = tmp_path / "lying.py"
    lying.write_text(
        "import socket, struct, sys\n"
        f"answer = {answer!r}\n"
        "parent = socket.socket(fileno=int(sys.argv[1]))\n"
        "parent.sendall(struct.pack('!qq', -1, len(answer)) + answer)\n"
    )
    monkeypatch.setattr(metadata_reader, "__file__", str(lying))
    assert read_facts(io.BytesIO(FILES.mp4()), mime=MP4) == Facts()
    with pytest.raises(Unprocessable, match="no thumbnail"):
        read_thumbnail(io.BytesIO(FILES.mp4()), mime=MP4)


def test_it_is_told_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESSROOM_SECRET_KEYS", "a-secret")
    told = tmp_path / "told"
    curious = tmp_path / "curious.py"
    curious.write_text(
        f"import os, sys\nopen({str(told)!r}, 'w').write(repr(dict(os.environ)) + repr(sys.argv))\n"
        f"open({str(told)!r}, 'a').write(' '.join(os.listdir('/proc/self/fd')))\n"
    )
    monkeypatch.setattr(metadata_reader, "__file__", str(curious))
    held = os.open(ROOT, os.O_RDONLY)
    os.set_inheritable(held, True)
    read_facts(io.BytesIO(FILES.mp4()), mime=MP4)
    deadline = time.monotonic() + PATIENCE
    while not told.exists():
        assert time.monotonic() < deadline
    os.close(held)
    assert "a-secret" not in told.read_text()
    assert str(held) not in told.read_text().split("]")[-1].split()


@pytest.mark.parametrize("module", ["web.app", "worker.app", "worker.tasks"])
def test_no_lasting_process_loads_the_decoders(module: str) -> None:
    program = f"import sys, {module}; sys.exit('av' in sys.modules)"
    environ = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1", "DATABASE_URL": "postgresql://a/b"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environ, check=False)
    assert done.returncode == 0
