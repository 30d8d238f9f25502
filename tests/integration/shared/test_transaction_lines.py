"""A transaction's locks wait for no log line."""

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import log
from shared.db import Database
from tests.servers.settings import make_settings


@pytest.fixture
def database(postgres_url: str, tmp_path: Path) -> Iterator[Database]:
    opened = Database.connect(
        make_settings(postgres_url, tmp_path, REDIS_URL="redis://127.0.0.1:1")
    )
    yield opened
    opened.close()


@pytest.mark.parametrize("kind", ["transaction", "reading"])
def test_a_line_is_written_after_the_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    root = logging.getLogger()
    before, level, hook = list(root.handlers), root.level, sys.excepthook
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    log.configure_logging("json")
    try:
        with getattr(database, kind)() as session:
            session.connection()
            log.get_logger("test").warning("call failed", reason="x" * 14_000)
            assert written.getvalue() == ""
        assert "call failed" in written.getvalue()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        sys.excepthook = hook
