"""No query of the API acts for a caller without naming whose rows it may meet."""

import ast
from collections.abc import Iterator

import pytest

from shared.access.visible_profiles import OF_MANY, OF_ONE
from shared.models import Base
from tests.house.figures import ROOT, Function, read_modules

OWNED = {table.__name__ for table in (*OF_ONE, *OF_MANY)}
#: What names a caller's profiles, or finds rows by them.
NAMES_THEM = {
    "concerned_condition",
    "condition",
    "current_caller",
    "load_visible",
    "requested_profiles",
    "require_visible_profile",
}
QUERIES = {"delete", "exists", "get", "get_one", "query", "select", "update"}
#: Functions that are given what was found by the caller's profiles, or the profile itself.
GIVEN = {
    "web/audit_trail.py",  # changes the entry of its own request only
    "web/api/postiz.py:_last_known_response",  # the account of the profile's own credentials
    "web/api/profiles.py:_insert_profile",  # makes it
    "web/pages/schedules.py:_list_",  # of a profile that is visible, or whose schedule is
    "web/postiz_front/channels.py:_require_list",  # the account of the profile's own credentials
    "web/postiz_front/creating.py:_accept_others",  # the job that it has just accepted
    "web/postiz_front/uploads.py:_accept",  # likewise, of a medium
    "web/request_parsing/live_integrations.py",  # the account of the profile's own credentials
    "web/metrics/database_metrics.py",  # counts everybody's, and shows nobody's
}


def test_every_table_that_names_profiles_says_whose_its_rows_are() -> None:
    named = {
        mapper.class_.__name__
        for mapper in Base.registry.mappers
        if {"profile_id", "profile_ids"} & set(mapper.columns.keys())
    }
    assert named <= OWNED


@pytest.mark.parametrize("source", ["web"])
def test_a_query_of_tenants_rows_names_whose(source: str) -> None:
    careless = []
    for module in read_modules([source]):
        path = module.path.relative_to(ROOT).as_posix()
        for function in module.functions:
            place = f"{path}:{function.name}"
            given = any(place.startswith(known) for known in GIVEN)
            if not given and any(_queries_in(function)) and not NAMES_THEM & _names_in(function):
                careless.append(place)
    assert careless == []


def _queries_in(function: Function) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and _last_name(node.func) in QUERIES:
            asked = {_first_name(argument) for argument in node.args}
            if asked & {*OWNED, "Account"}:
                yield node


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _first_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _names_in(function: Function) -> set[str]:
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
