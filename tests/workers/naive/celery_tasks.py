"""With Celery."""

import os
from collections.abc import Sequence

from celery import Celery

from tests.workers.naive.counted_call import make_counted_call

app = Celery("naive", broker=os.environ["NAIVE_URL"])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
publish = app.task(make_counted_call, name="naive.publish")


def enqueue_posts(posts: Sequence[tuple[str, str]]) -> None:
    for api_url, content in posts:
        publish.delay(api_url, content)
