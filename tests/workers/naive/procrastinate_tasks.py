"""With procrastinate, whose broker is PostgreSQL."""

import os
from collections.abc import Sequence

import procrastinate

from tests.workers.naive.counted_call import make_counted_call

URL = os.environ["NAIVE_URL"]
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URL))
publish = app.task(make_counted_call, name="naive.publish")


def enqueue_posts(posts: Sequence[tuple[str, str]]) -> None:
    connector = procrastinate.SyncPsycopgConnector(conninfo=URL)
    with app.replace_connector(connector) as producing, producing.open():
        for api_url, content in posts:
            publish.defer(api_url=api_url, content=content)
