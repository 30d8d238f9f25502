"""The least that accepting can cost: Flask views that commit a row, or many. Run by gunicorn."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from flask import Flask, request
from sqlalchemy import column, create_engine, insert, table, text

from local.child import ROOT
from local.ports import free_port
from shared.db import connect_args, sqlalchemy_url
from tests.timing.patience import PATIENCE, wait_until

_BARE = table("bare", column("body"))


def create_app() -> Flask:
    app = Flask("bare")
    url = sqlalchemy_url(os.environ["DATABASE_URL"])
    engine = create_engine(url, pool_size=16, connect_args=connect_args())
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS bare (id serial, body text)"))

    @app.post("/")
    def accept() -> tuple[dict[str, str], int]:
        with engine.begin() as connection:
            query = text("INSERT INTO bare (body) VALUES (:body) RETURNING id")
            row = connection.scalar(query, {"body": request.get_data(as_text=True)})
        return {"id": str(row)}, 202

    @app.post("/bulk")
    def accept_bulk() -> tuple[dict[str, int], int]:
        rows = [{"body": str(item["caption"])} for item in request.get_json()["items"]]
        with engine.begin() as connection:
            connection.execute(insert(_BARE), rows)
        return {"rows": len(rows)}, 202

    return app


@contextmanager
def bare_view(database_url: str) -> Iterator[str]:
    """Its address, with as many processes and threads as web has."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--threads", "20", "tests.servers.bare_view:create_app()"]
    environ = {**os.environ, "DATABASE_URL": database_url}
    server = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until(lambda: _answers(url))
        yield url
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _answers(url: str) -> bool:
    try:
        return requests.post(url, data=b"{}", timeout=PATIENCE).status_code == 202
    except requests.ConnectionError:
        return False
