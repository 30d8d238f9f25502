"""web → shared ← worker: neither imports the other, and shared imports neither."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = {
    "shared": {"web", "worker", "local"},
    "web": {"worker", "local"},
    "worker": {"web", "local"},
}


def imported(module: Path) -> Iterator[str]:
    """The top-level packages that a module names, wherever in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.split(".")[0] for alias in names)
            case ast.ImportFrom(module=str(name), level=0):
                yield name.split(".")[0]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    modules = list((ROOT / package).rglob("*.py"))
    assert modules
    broken = [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules
        for name in imported(module)
        if name in FORBIDDEN[package]
    ]
    assert broken == []
