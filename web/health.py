"""Whether this process lives, and whether everything that it needs is there."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache

import redis
from alembic.script import ScriptDirectory
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.migrate import alembic_config
from shared.models import Pulse
from web.idempotency import Reply
from web.services import services

#: A process that was not seen for longer counts as gone.
FRESH = timedelta(seconds=30)
PULSES = ("worker:publish", "worker:upload", "beat")
OK = "ok"

api = APIBlueprint("health", __name__, url_prefix="/health", abp_tags=[Tag(name="health")])


class Live(BaseModel):
    status: str = OK


class Ready(BaseModel):
    """Each check is `ok`, or says why not."""

    ready: bool
    checks: dict[str, str]


@api.get("/live", responses={200: Live})
def get_live() -> Response:
    """Whether this process answers"""
    return Reply(body=Live()).response()


@api.get("/ready", responses={200: Ready, 503: Ready})
def get_ready() -> Response:
    """Whether requests can be accepted and worked on, and why not"""
    checks = {**dict(_database()), "broker": _tried(_broker)}
    ready = all(reason == OK for reason in checks.values())
    headers = {} if ready else {"Retry-After": "5"}
    status = 200 if ready else 503
    return Reply(body=Ready(ready=ready, checks=checks), status=status, headers=headers).response()


def _tried(check: Callable[[], str]) -> str:
    try:
        return check()
    except (SQLAlchemyError, redis.RedisError) as error:
        return f"away ({type(error).__name__})"


def _database() -> Iterator[tuple[str, str]]:
    """The database, its tables, and who was seen lately, as it tells."""
    try:
        with services().database.transaction() as session:
            yield "database", OK
            yield "migrations", _migrations(session)
            yield from _pulses(session)
    except SQLAlchemyError as error:
        yield "database", f"away ({type(error).__name__})"


def _migrations(session: Session) -> str:
    found = session.scalar(text("SELECT version_num FROM alembic_version"))
    return OK if found == _newest() else f"the tables are at {found}, and should be at {_newest()}"


@cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(alembic_config("postgresql://")).get_current_head()


def _pulses(session: Session) -> Iterator[tuple[str, str]]:
    fresh = select(Pulse.name).where(Pulse.seen_at > func.now() - FRESH)
    seen = set(session.scalars(fresh))
    for name in PULSES:
        yield name, OK if name in seen else f"not seen within {FRESH.seconds} s"


def _broker() -> str:
    services().broker.ping()
    return OK
