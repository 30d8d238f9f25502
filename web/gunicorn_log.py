"""gunicorn's log lines in the same form as all others, without secrets."""

import logging
from typing import Any

from gunicorn import glogging

from shared.config import read_settings
from shared.log import configure_logging


class OneForm(glogging.Logger):  # type: ignore[misc] # it has no types
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        configure_logging(read_settings().log_format)
        ours: logging.Logger = self.error_log
        ours.handlers.clear()
        ours.propagate = True
