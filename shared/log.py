"""Logging for every process: structlog, JSON in production, readable on a terminal, no secrets.

Lines of a transaction are written after its end: its locks must not wait for a slow terminal or
pipe, nor for the search for secrets.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

from shared import redaction

#: Internal fields of structlog, which are not part of the line.
_OF_STRUCTLOG = frozenset({"_record", "_from_structlog", "_logger", "_name", "exc_info"})
#: The lines that wait for the end of a transaction; None outside of one.
_HELD: ContextVar[list[Callable[[], object]] | None] = ContextVar("held", default=None)


@contextmanager
def lines_held() -> Iterator[None]:
    """Lines that this thread logs inside the block are written at its end, also if it raises."""
    if _HELD.get() is not None:
        yield  # the outermost block writes them
        return
    held: list[Callable[[], object]] = []
    token = _HELD.set(held)
    try:
        yield
    finally:
        _HELD.reset(token)
        for write in held:
            write()


class _HoldingHandler(logging.StreamHandler[TextIO]):
    """To standard error, now or at the end of the transaction."""

    def handle(self, record: logging.LogRecord) -> bool:
        held = _HELD.get()
        if held is None:
            return bool(super().handle(record))
        held.append(partial(super().handle, record))
        return True


def keep_error(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: the error that is handled now, which a line that waits would lose."""
    if event.get("exc_info") is True:
        event["exc_info"] = sys.exc_info()
    return event


def redact_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor that removes secrets, also nested ones and those in tracebacks."""
    return {
        name: value if name in _OF_STRUCTLOG else redaction.clean_value(value, name)
        for name, value in event.items()
    }


def configure_logging(log_format: str) -> None:
    """Send our lines, those of libraries, and uncaught errors to standard error, in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            keep_error,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _HoldingHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # as text and without local variables, before secrets are searched in it
                structlog.processors.format_exc_info,
                redact_event,
                _make_renderer(log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # these log a line for every tick, two for each run, one for each late message
    for chatty in ("celery.worker.strategy", "celery.app.trace", "celery.worker.request"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if sys.excepthook is sys.__excepthook__:  # a program with its own hook keeps it
        sys.excepthook = _log_uncaught
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_uncaught_in_thread


def _make_renderer(log_format: str) -> Any:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        # the default shows all local variables, and so keys
        exception_formatter=structlog.dev.plain_traceback,
    )


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    get_logger("process").critical("nobody caught this", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not issubclass(failed.exc_type, SystemExit):
        _log_uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger(name))
