"""What is logged inside of a transaction is written after it, whole and in order."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from shared import log


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level, hook = list(root.handlers), root.level, sys.excepthook
    text = io.StringIO()
    monkeypatch.setattr(sys, "stderr", text)
    log.configure_logging("json")
    yield text
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook = hook


def fail() -> None:
    try:
        int("it broke")
    except ValueError:
        log.get_logger("ours").exception("ours failed")
        logging.getLogger("theirs").exception("theirs failed")


def test_lines_wait_for_the_end_of_the_outermost_block(written: io.StringIO) -> None:
    with log.lines_held():
        log.get_logger("ours").info("first")
        with log.lines_held():
            logging.getLogger("theirs").warning("second")
        assert written.getvalue() == ""
    assert [word in written.getvalue() for word in ("first", "second")] == [True, True]
    log.get_logger("ours").info("third")
    assert "third" in written.getvalue()


def test_lines_of_a_block_that_raises_are_written_too(written: io.StringIO) -> None:
    with pytest.raises(RuntimeError), log.lines_held():
        log.get_logger("ours").info("before the end")
        raise RuntimeError
    assert "before the end" in written.getvalue()


def test_a_line_that_waits_keeps_its_error(written: io.StringIO) -> None:
    with log.lines_held():
        fail()
        assert written.getvalue() == ""
    for line in written.getvalue().splitlines():
        assert "ValueError: invalid literal" in line
    assert len(written.getvalue().splitlines()) == 2
