"""gunicorn's settings: `gunicorn -c python:web.gunicorn_conf`."""

import gc
import os
from importlib import import_module
from typing import Any

from gunicorn.http import wsgi

from web.concurrency_limits import DOWNLOADS, STREAMS, UPLOADS

wsgi_app = "web.app:create_app()"
bind = f"0.0.0.0:{os.environ.get('PRESSROOM_PORT', '8000')}"
worker_class = "web.gunicorn_worker.Worker"
workers = 2
#: Eight for quick requests, and the slots of long ones (web/concurrency_limits.py).
threads = 8 + UPLOADS + STREAMS + DOWNLOADS
#: Each worker makes its own connections and threads, after the fork. The code is loaded before it
#: (`on_starting`), so that it is loaded once, and the workers share its pages.
preload_app = False
#: For a worker whose main loop has stopped; a long upload in one of its threads does not count.
timeout = 60
graceful_timeout = 25
keepalive = 5
#: Requests contain keys and signed addresses, so they are not logged.
accesslog = None
errorlog = "-"
logger_class = "web.gunicorn_log.OneForm"
control_socket_disable = True
#: Which server and version this is, only an attacker needs to know.
wsgi.SERVER = "pressroom"


def on_starting(_server: Any) -> None:
    gc.disable()  # what is loaded stays: looking through it again and again is a sixth of the time
    import_module("web.app")
    gc.collect()
    gc.freeze()  # else the collector of a worker would make its own copies of these pages
    gc.enable()


def post_worker_init(worker: Any) -> None:
    """Streams end when the process is told to stop, so that they do not delay it."""
    worker.wsgi.extensions["pressroom"].streams.going_on = lambda: worker.alive


def worker_exit(_server: Any, worker: Any) -> None:
    """Without this, the listener's thread would delay the end of the process."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["pressroom"].close()
