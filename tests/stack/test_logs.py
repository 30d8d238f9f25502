"""Logs that end somewhere."""

from pathlib import Path

from local.logs import keep_bounded, last_lines


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    assert last_lines(log) == ""
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert last_lines(log, count=2) == "line 9998\nline 9999"


def test_a_log_that_is_too_long_is_emptied_under_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 11)
        keep_bounded(log, limit=10)
        writer.write(b"y")
    assert log.read_bytes() == b"y"
    assert (tmp_path / "web.log.1").read_bytes() == b"x" * 11
    keep_bounded(log, limit=10)
    assert log.read_bytes() == b"y"
