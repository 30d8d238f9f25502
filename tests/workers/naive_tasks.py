"""What a user would write first: a Celery task and a counted call for each post.

The session is kept for the life of a process. Nothing is written down, checked or paced.
"""

import os
from functools import cache

import requests
from celery import Celery

BROKER = "NAIVE_BROKER"

app = Celery("naive", broker=os.environ.get(BROKER, "memory://"))
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
COMMAND = ["-m", "celery", "-A", "tests.workers.naive_tasks", "worker", "--loglevel", "WARNING"]


@cache
def _session() -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = "key"
    return session


@app.task(name="naive.publish")  # type: ignore[untyped-decorator]
def publish(api_url: str, content: str) -> None:
    body = {
        "type": "now",
        "date": "2026-01-01T00:00:00.000Z",
        "shortLink": False,
        "tags": [],
        "posts": [
            {
                "integration": {"id": "int-one"},
                "settings": {},
                "value": [{"content": content, "image": []}],
            }
        ],
    }
    _session().post(f"{api_url}/posts", json=body, timeout=20).raise_for_status()
