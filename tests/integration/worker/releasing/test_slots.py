"""Slots of writes, taken for many servers at once."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.models import Server
from tests.factories.rows import LONG_AGO, Rows
from worker.accounts import rate_limiter
from worker.runtime import Runtime

PER_SECOND, STEP = 5.0, 0.2
#: What a slow machine may take between two statements (seconds).
SLACK = 20.0


def add_server(rows: Rows, name: str, next_write_at: datetime) -> str:
    server = f"{rows.server}/{name}"
    with rows.database.transaction() as session:
        session.add(Server(server=server, next_write_at=next_write_at))
    return server


def next_in(rows: Rows, server: str) -> float:
    with rows.database.transaction() as session:
        moment = session.get_one(Server, server).next_write_at
    return (moment - datetime.now(UTC)).total_seconds()


def take(runtime: Runtime, **wanted: int) -> dict[str, list[float]]:
    return rate_limiter.take_slots(runtime.database, wanted, per_second=PER_SECOND)


def test_a_server_that_rested_allows_what_it_saved_and_then_its_pace(
    runtime: Runtime, rows: Rows
) -> None:
    server = add_server(rows, "rested", LONG_AGO)
    slots = rate_limiter.take_slots(runtime.database, {server: 5}, per_second=PER_SECOND)[server]
    assert slots == pytest.approx([-0.5, -0.3, -0.1, 0.1, 0.3], abs=0.01)
    assert next_in(rows, server) == pytest.approx(0.5, abs=SLACK)
    assert next_in(rows, server) < 0.5
    assert rate_limiter.take_slots(runtime.database, {server: 1}, per_second=PER_SECOND) == {}


def test_a_new_server_gets_a_row_and_a_busy_one_no_slot(runtime: Runtime, rows: Rows) -> None:
    busy = add_server(rows, "busy", datetime.now(UTC) + timedelta(hours=1))
    new = f"{rows.server}/new"
    slots = rate_limiter.take_slots(runtime.database, {busy: 1, new: 2}, per_second=PER_SECOND)
    assert slots == {new: [0.0, STEP]}
    assert next_in(rows, new) < 2 * STEP
    assert next_in(rows, busy) > 3000


def test_a_server_that_another_process_takes_slots_of_is_left_out(
    runtime: Runtime, rows: Rows
) -> None:
    held, free = (add_server(rows, name, LONG_AGO) for name in ("held", "free"))
    with rows.database.transaction() as session:
        session.get_one(Server, held, with_for_update=True)
        slots = rate_limiter.take_slots(runtime.database, {held: 1, free: 1}, per_second=PER_SECOND)
    assert set(slots) == {free}


@pytest.mark.parametrize(
    ("in_seconds", "writes"), [(-100.0, 4), (-0.5, 4), (-0.2, 3), (0.0, 2), (0.19, 1), (0.21, 0)]
)
def test_the_writes_that_a_server_allows_in_a_round(in_seconds: float, writes: int) -> None:
    assert rate_limiter.allowed_writes(in_seconds, per_second=PER_SECOND, ahead=0.2) == writes
