"""What our processes count: each in its own files, which outlive the process and are added up.

Every metric has labels, because prometheus-client opens its file at the first value of a label. So
a process that only imports this module, or forks, holds no file. Labels have few values, by design:
never a post, a profile or an address.

All processes of a machine count into one folder, each in a slot that a file lock reserves. The
library's own way, a file per pid, grows with every recycled worker and mixes up containers, each of
which has a process 1. A port for each worker would need a thread in a process that forks.
"""

import fcntl
import json
import os
import struct
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from shared.log import get_logger

#: What this process counted itself; with a folder, `make_collector` reads what all of them counted.
COUNTED = CollectorRegistry()

SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
LATE = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3600)
SIZES = (1, 2, 5, 10, 25, 50, 100, 200, 300, 400)


def _make_counter(name: str, about: str, label: str) -> Counter:
    return Counter(f"pressroom_{name}", about, [label], registry=COUNTED)


def _make_histogram(
    name: str, about: str, labels: list[str], buckets: Iterable[float]
) -> Histogram:
    return Histogram(f"pressroom_{name}", about, labels, buckets=list(buckets), registry=COUNTED)


POST_EVENTS = _make_counter("post_events", "Lines of the timelines, by kind", "event")
POSTS_FAILED = _make_counter("posts_failed", "Posts that ended as failed", "code")
SETTLE_STEPS = _make_counter("settle_steps", "What was decided about releases looked at", "step")
ORPHANS_DELETED = _make_counter("litter_removed", "Left-over posts deleted in Postiz", "kind")
TROUBLE = _make_counter("account_trouble", "Calls that went wrong, by code", "code")
CACHE = _make_counter("publisher_cache", "Publishers asked for: hit or build", "result")
INVALIDATIONS = _make_counter("publisher_invalidations", "Resets of the cache: one or all", "what")
CONTAINED = _make_counter("contained_failures", "Faults of ours that cost nothing else", "where")
WAKEUPS_LOST = _make_counter("wakeups_lost", "Wake-ups that the broker did not take", "task")

LATENESS = _make_histogram(
    "release_lateness_seconds", "From a post's time to its release", ["due"], LATE
)
SUBMISSION = _make_histogram("submission_posts", "Posts in a counted call", ["kind"], SIZES)
POSTIZ = _make_histogram("postiz_seconds", "Calls to Postiz", ["route", "status"], SHORT)
DELIVERY = _make_histogram("delivery_seconds", "Attempts to tell a webhook", ["outcome"], SHORT)
TASK = _make_histogram("task_seconds", "Tasks of the workers", ["task", "outcome"], SHORT)
HTTP = _make_histogram("http_seconds", "Requests to web", ["method", "route", "status"], SHORT)
INVALIDATION = _make_histogram(
    "invalidation_seconds", "From a change's broadcast to the cache's reset", ["channel"], SHORT
)

#: If a post was accepted at least this long before its time, a late release is our fault.
PLANNED = timedelta(minutes=5)


def observe_lateness(publish_at: datetime, *, accepted_at: datetime, released_at: datetime) -> None:
    """Count how late a release is. A release into Postiz's calendar is early, so not counted."""
    late = (released_at - publish_at).total_seconds()
    if late >= 0:
        due = "planned" if publish_at - accepted_at >= PLANNED else "at once"
        LATENESS.labels(due).observe(late)


#: How many processes of one machine may count at the same time.
MAX_PROCESSES = 512
#: Reserved at the start: a write into a mapped file on a full disk would kill the process.
_FILE_SIZE = 1 << 20
_KINDS = ("counter", "histogram")

log = get_logger("metrics")


class _Process:
    """The slot of this process; `pid`: the process that took it."""

    pid = 0
    lock = -1


def use_folder(folder: Path | None) -> None:
    """Count into `folder` from now on; without one, or if it fails, for this process alone.

    Call it after the fork, before anything is counted. A slot is free again once its process has
    ended, in whatever way, and the next process continues its counts. So there are never more files
    than processes at the same time, and no counter ever falls.
    """
    if folder is None or _Process.pid == os.getpid():
        return
    try:
        place, lock = _take_place(folder)
    except OSError as error:
        log.warning("metrics are kept by this process alone", reason=str(error))
        return
    _Process.pid, _Process.lock = os.getpid(), lock
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]


def _take_place(folder: Path) -> tuple[int, int]:
    """The lowest free slot, and the lock that reserves it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place in range(MAX_PROCESSES):
        lock = os.open(folder / f"{place}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _make_sound(folder, place)
        except BlockingIOError:
            os.close(lock)
        except OSError:
            os.close(lock)
            raise
        else:
            return place, lock
    raise OSError(f"{MAX_PROCESSES} processes count in {folder} already")


def _make_sound(folder: Path, place: int) -> None:
    """The slot's files, at full size; a file that a crash of the machine damaged is replaced."""
    for kind in _KINDS:
        path = folder / f"{kind}_{place}.db"
        if path.exists() and not _is_sound(path):
            path.unlink()
        with path.open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, max(_FILE_SIZE, path.stat().st_size))


def _is_sound(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            (used,) = struct.unpack("i", file.read(4))
        if not 0 <= used <= path.stat().st_size:
            return False
        for key, *_ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
            json.loads(key)
    except (OSError, RuntimeError, ValueError, struct.error):
        return False
    return True


class _Files(Collector):
    """What all processes of this machine have counted, including those that ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        sound = [str(path) for path in sorted(self._folder.glob("*_*.db")) if _is_sound(path)]
        return list(MultiProcessCollector.merge(sound))  # type: ignore[no-untyped-call]


def make_collector(folder: Path | None) -> Collector:
    return _Files(folder) if folder else COUNTED
