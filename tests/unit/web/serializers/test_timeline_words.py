"""Each event that the code writes into a timeline has a sentence for people."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from web.serializers.timeline_words import SENTENCES, describe_event

ROOT = Path(__file__).parents[4]
#: They tell webhooks, not timelines, of events that are named otherwise.
ELSEWHERE = ("webhooks", "migrations", "calendar_feed")
TREES = [
    ast.parse(path.read_text(encoding="utf-8"))
    for path in chain((ROOT / "shared").rglob("*.py"), (ROOT / "worker").rglob("*.py"))
    if not set(ELSEWHERE) & set(path.parts)
]
OF_WEBHOOKS = {"enqueue_account_event", "enqueue_post_event", "enqueue_server_event"}


def find_constants() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for tree in TREES:
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                for target in node.targets:
                    found[ast.unparse(target)].add(str(node.value.value))
    return found


def find_places() -> dict[str, int]:
    """Of each function that takes an `event`: at which place."""
    found = {}
    for node in chain.from_iterable(map(ast.walk, TREES)):
        if isinstance(node, ast.FunctionDef):
            names = [each.arg for each in node.args.args]
            if "event" in names and node.name not in OF_WEBHOOKS:
                found[node.name] = names.index("event")
    return found


def written_events() -> Iterator[ast.expr]:
    places = find_places()
    for node in chain.from_iterable(map(ast.walk, TREES)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            place = places.get(name)
            if place is not None and len(node.args) > place:
                yield node.args[place]
            if name not in OF_WEBHOOKS:
                yield from (each.value for each in node.keywords if each.arg == "event")


def names_of(expression: ast.expr, constants: dict[str, set[str]]) -> Iterator[str]:
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        yield expression.value
    elif isinstance(expression, ast.IfExp):
        yield from names_of(expression.body, constants)
        yield from names_of(expression.orelse, constants)
    elif isinstance(expression, ast.Name | ast.Attribute):
        yield from constants.get(ast.unparse(expression).rpartition(".")[2], ())


def test_each_event_has_a_sentence() -> None:
    constants = find_constants()
    names = {name for each in written_events() for name in names_of(each, constants)}
    assert {"staged", "taken_back", "rejected", "edited", "parking"} <= names
    of_timelines = {name for name in names if "." not in name}  # those of webhooks have a dot
    assert of_timelines - set(SENTENCES) == set()


def test_an_unknown_event_is_still_words() -> None:
    assert describe_event("seen_on_the_moon") == "Seen on the moon"
