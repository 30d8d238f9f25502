"""The migrations are one line: two that were numbered side by side would both be the newest."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

import shared


def test_there_is_one_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(shared.__file__).parent / "migrations"))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
