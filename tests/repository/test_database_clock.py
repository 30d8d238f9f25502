"""What is compared with a column comes from the database's clock: machines differ in theirs."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Where a process's own clock is asked, and why that is right.
MAY_ASK = {
    "shared/db.py": "turns a moment by our clock into one by the database's",
    "shared/postiz/responses.py": "moments of a reply, which are turned so before they are kept",
    "shared/postiz/client.py": "how far Postiz's clock is from ours",
    "worker/publishing/cancel.py": "Postiz's clock, by that difference",
    "shared/profiles/invalidation.py": "how long a message was under way, for a figure",
    "shared/storage/filesystem.py": "the age of files, by the clock of their disk",
    "shared/storage/s3.py": "the age of files, by the bucket's clock",
    "worker/retention/clean.py": "the age of files, by the storage's clock",
    "web/rate_limits.py": "when a window ends, which the library of limits tells by this clock",
    "worker/webhooks/delivery_attempt.py": "what a receiver compares with its own clock",
}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
CLOCKS |= {("time", "time"), ("time", "time_ns")}


def clocks_of(path: Path) -> set[str]:
    """The clocks that a module asks, wherever in it."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    functions = [call.func for call in calls if isinstance(call.func, ast.Attribute)]
    return {
        f"{function.value.id}.{function.attr}"
        for function in functions
        if isinstance(function.value, ast.Name) and (function.value.id, function.attr) in CLOCKS
    }


@pytest.mark.parametrize("package", ["shared", "worker", "web"])
def test_only_who_may_asks_the_clock_of_its_process(package: str) -> None:
    modules = {str(path.relative_to(ROOT)): path for path in (ROOT / package).rglob("*.py")}
    asking = {name for name, path in modules.items() if clocks_of(path)}
    assert asking - MAY_ASK.keys() == set()
    assert {name for name in MAY_ASK if name.startswith(f"{package}/")} <= asking


def test_a_call_of_a_clock_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f():\n    return [datetime.now(UTC), time.time(), time.monotonic()]\n")
    assert clocks_of(module) == {"datetime.now", "time.time"}
