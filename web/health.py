"""Whether this process is alive, and whether everything that it needs is available."""

import math
from collections.abc import Callable, Iterator
from functools import cache

import redis
from alembic.script import ScriptDirectory
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.migrate import alembic_config
from shared.models import Pulse, Server
from shared.task_queue import QUEUE_NAMES
from web.http_layer.idempotency import Reply
from web.services import current_services

#: A process that was not seen for longer than this counts as gone (seconds).
FRESH = 30
PULSES = (*(f"worker:{queue}" for queue in QUEUE_NAMES), "beat")
OK = "ok"

api = APIBlueprint("health", __name__, url_prefix="/health", abp_tags=[Tag(name="health")])


class Live(BaseModel):
    status: str = OK


class Ready(BaseModel):
    """Each check is `ok`, or says why not."""

    ready: bool
    checks: dict[str, str]
    stalled_servers: int = Field(
        0, description="Postiz servers that publish nothing; they say nothing about us"
    )


@api.get("/live", responses={200: Live})
def get_live() -> Response:
    """Whether this process answers"""
    return Reply(body=Live()).response()


@api.get("/ready", responses={200: Ready, 503: Ready})
def get_ready() -> Response:
    """Whether requests can be accepted and worked on, and why not"""
    checks = {**dict(_check_database()), "broker": _run_check(_check_broker)}
    ready = all(reason == OK for reason in checks.values())
    headers = {} if ready else {"Retry-After": "5"}
    status = 200 if ready else 503
    shown = Ready(ready=ready, checks=checks, stalled_servers=_count_stalled())
    return Reply(body=shown, status=status, headers=headers).response()


def _count_stalled() -> int:
    try:
        with current_services().database.transaction() as session:
            stalled = select(func.count()).where(Server.stalled_since.is_not(None))
            return session.scalar(stalled) or 0
    except SQLAlchemyError:
        return 0  # the checks say that the database is away


def _run_check(check: Callable[[], str]) -> str:
    try:
        return check()
    except (SQLAlchemyError, redis.RedisError) as error:
        return f"away ({type(error).__name__})"


def _check_database() -> Iterator[tuple[str, str]]:
    """The database, its tables, and the processes that the database saw recently."""
    try:
        with current_services().database.transaction() as session:
            yield "database", OK
            yield "migrations", _check_migrations(session)
            yield from _check_heartbeats(session)
    except SQLAlchemyError as error:
        yield "database", f"away ({type(error).__name__})"


def _check_migrations(session: Session) -> str:
    revision = session.scalar(text("SELECT version_num FROM alembic_version"))
    return (
        OK
        if revision == _newest_revision()
        else f"the tables are at {revision}, and should be at {_newest_revision()}"
    )


@cache
def _newest_revision() -> str | None:
    return ScriptDirectory.from_config(alembic_config("postgresql://")).get_current_head()


def _check_heartbeats(session: Session) -> Iterator[tuple[str, str]]:
    age = func.extract("epoch", func.now() - Pulse.seen_at)
    ages = {name: float(seconds) for name, seconds in session.execute(select(Pulse.name, age))}
    beat_alive = ages.get("beat", math.inf) < FRESH
    for name in PULSES:
        reason = _describe_heartbeat(ages.get(name))
        if reason != OK and name != "beat" and not beat_alive:
            reason += "; beat, which asks for these signs, is missing too: this worker may be alive"
        yield name, reason


def _describe_heartbeat(age: float | None) -> str:
    if age is not None and age < FRESH:
        return OK
    last = f" (last {age:.0f} s ago)" if age is not None else ""
    return f"not seen within {FRESH} s{last}"


def _check_broker() -> str:
    current_services().broker.ping()
    return OK
