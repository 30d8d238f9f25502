"""Figures of many processes: added up, kept when they die, in no more files than there are."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from local.child import ROOT
from shared import metrics

COUNT = """
import os, sys, time
from pathlib import Path
from shared import metrics
metrics.use_folder(Path(sys.argv[1]))
metrics.ORPHANS_DELETED.labels("abandoned").inc(int(sys.argv[2]))
metrics.LATENESS.labels("planned").observe(0.2)
print(metrics._Process.pid, flush=True)
if len(sys.argv) > 3:
    time.sleep(60)
"""


def process(folder: Path, count: int, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", COUNT, str(folder), str(count), *words]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    started.stdout.readline()
    return started


def total(folder: Path) -> float:
    return sum(
        sample.value
        for metric in metrics.make_collector(folder).collect()
        for sample in metric.samples
        if sample.name == "pressroom_litter_removed_total"
    )


def test_processes_that_die_leave_their_counts_and_their_places(tmp_path: Path) -> None:
    first, second = process(tmp_path, 1, "stay"), process(tmp_path, 10, "stay")
    assert total(tmp_path) == 11
    first.kill()
    assert first.wait() == -signal.SIGKILL
    assert total(tmp_path) == 11
    assert process(tmp_path, 100).wait() == 0  # takes the place of the first, and counts on
    second.kill()
    second.wait()
    assert total(tmp_path) == 111
    assert len(list(tmp_path.glob("*.db"))) == 4  # two places, each with two kinds


def test_histograms_are_added_up_too(tmp_path: Path) -> None:
    for _ in range(2):
        assert process(tmp_path, 0).wait() == 0
    counts = {
        sample.labels.get("le"): sample.value
        for metric in metrics.make_collector(tmp_path).collect()
        for sample in metric.samples
        if sample.name == "pressroom_release_lateness_seconds_bucket"
    }
    assert (counts["0.1"], counts["0.25"], counts["+Inf"]) == (0, 2, 2)


def test_a_file_that_a_crash_left_unreadable_stops_nobody(tmp_path: Path) -> None:
    assert process(tmp_path, 1).wait() == 0
    broken = tmp_path / "counter_0.db"
    broken.write_bytes(b"\xff" * 5000)
    assert total(tmp_path) == 0
    assert process(tmp_path, 5).wait() == 0
    assert total(tmp_path) == 5


def test_the_files_have_their_room_from_the_start(tmp_path: Path) -> None:
    assert process(tmp_path, 1).wait() == 0
    for path in tmp_path.glob("*.db"):
        assert path.stat().st_blocks * 512 >= metrics._FILE_SIZE


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("not a folder")
    assert process(taken, 1).wait() == 0


@pytest.mark.parametrize("metric", list(metrics.COUNTED._collector_to_names))
def test_every_figure_has_labels_so_that_importing_holds_no_file(metric: MetricWrapperBase) -> None:
    assert metric._labelnames
