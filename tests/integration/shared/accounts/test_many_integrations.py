"""A list of thousands of channels is stored in a few statements, however strange it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from shared.accounts import identity
from shared.models import Account
from shared.postiz.client import RemoteIntegration
from tests.factories.rows import Rows
from tests.workers.runtimes import make_runtime


@pytest.fixture
def rows(database_url: str, tmp_path: Path) -> Iterator[Rows]:
    runtime = make_runtime(database_url, tmp_path)
    yield Rows(runtime.database)
    runtime.close()


def listed(number: int, *, name: str) -> list[RemoteIntegration]:
    return [
        RemoteIntegration(
            id=f"i{index}",
            name=name,
            identifier="x",
            picture=None,
            disabled=False,
            profile=None,
        )
        for index in range(number)
    ]


def remember(rows: Rows, integrations: list[RemoteIntegration]) -> int:
    """The number of statements that it takes."""
    statements: list[Any] = []

    def count(_: object, __: object, statement: object, *___: object) -> None:
        statements.append(statement)

    engine = rows.database.engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        with rows.database.transaction() as session:
            account = session.get_one(Account, rows.account_id)
            identity.remember_integrations(session, account, integrations)
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return len(statements)


def test_thousands_take_no_more_statements_than_a_few(rows: Rows) -> None:
    few = remember(rows, listed(2, name="Before"))
    assert remember(rows, listed(2000, name="After")) <= few + 4
    with rows.database.reading() as session:
        found = identity.read_integrations(session, rows.account_id)
    assert len({row.id for row in found if row.name == "After"}) == 2000


def test_of_two_channels_with_one_id_the_last_counts(rows: Rows) -> None:
    remember(rows, [*listed(1, name="First"), *listed(1, name="Last")])
    with rows.database.reading() as session:
        [found] = [
            row for row in identity.read_integrations(session, rows.account_id) if row.id == "i0"
        ]
    assert found.name == "Last"
