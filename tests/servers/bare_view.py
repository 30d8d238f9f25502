"""The least that accepting can cost: a Flask view that commits one row. Run by gunicorn."""

import os

from flask import Flask, request
from sqlalchemy import create_engine, text

from shared.db import connect_args, sqlalchemy_url


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

    return app
