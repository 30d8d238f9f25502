"""The arrows: web → shared ← worker; local may import all three, and nobody imports local.

The command line imports none of them, and none of them imports it.

Within them the rules of shared/domain import each other, the errors, and no library but one.
"""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.house.figures import length_of, read_modules

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "shared": {"shared"},
    "web": {"web", "shared"},
    "worker": {"worker", "shared"},
    "local": {"local", "web", "worker", "shared"},
    "cli": {"cli"},
}


def imports_of(path: Path) -> set[str]:
    """The first part of every absolute import of a module, wherever in it."""
    return {name.split(".")[0] for name in modules_imported_by(path)}


def modules_imported_by(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    modules = list((ROOT / package).rglob("*.py"))
    assert modules
    forbidden = set(MAY_IMPORT) - MAY_IMPORT[package] | {"tests"}
    broken = {
        str(path.relative_to(ROOT)): wrong
        for path in modules
        if (wrong := imports_of(path) & forbidden)
    }
    assert broken == {}


def test_the_domain_is_pure() -> None:
    broken = {}
    for path in (ROOT / "shared" / "domain").rglob("*.py"):
        found = {name for name in modules_imported_by(path) if not may_domain_import(name)}
        if found:
            broken[str(path.relative_to(ROOT))] = found
    assert broken == {}


def may_domain_import(module: str) -> bool:
    top = module.split(".", maxsplit=1)[0]
    if top == "shared":
        return module.startswith("shared.domain") or module == "shared.errors"
    return top == "cronsim" or (top in sys.stdlib_module_names and top not in REACHING_OUT)


#: Of the standard library, what reads a clock, a file, the network or chance is not pure either.
REACHING_OUT = {"os", "io", "pathlib", "socket", "ssl", "http", "urllib", "subprocess", "threading"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*MAY_IMPORT)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imports).prepare()  # raises `CycleError` with the circle


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_module_says_in_one_sentence_what_it_is_for(package: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / package).rglob("*.py")
        if "versions" not in path.parts and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_functions_and_files_stay_small(package: str) -> None:
    too_long = []
    for module in read_modules([package]):
        name = str(module.path.relative_to(ROOT))
        if name.startswith("local/sandbox/"):
            continue
        if module.text.count("\n") > 300:
            too_long.append(name)
        too_long += [f"{name}:{each.name}" for each in module.functions if length_of(each) > 40]
    assert too_long == []


#: Who may speak HTTP to others, or name what does: all of it goes over guarded connections.
SPEAKERS = {
    "shared/net/guarded_connections.py",
    "shared/net/transport.py",
    "shared/net/outbound_route.py",
    "shared/net/connect_tunnel.py",
}
#: What sends, whatever it is imported for.
SENDING = {
    "requests": {"get", "post", "put", "patch", "delete", "head", "request", "Session", "session"},
    "urllib3": {"PoolManager", "HTTPConnectionPool", "HTTPSConnectionPool", "request"},
}
SENDING_MODULES = {"http.client", "urllib.request", "aiohttp", "httpx"}


@pytest.mark.parametrize("package", ["shared", "web", "worker"])
def test_nobody_sends_but_over_guarded_connections(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / package).rglob("*.py")
        if str(path.relative_to(ROOT)) not in SPEAKERS
        for name in _senders_in(path)
    ]
    assert found == []


def _senders_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in SENDING_MODULES)
            case ast.ImportFrom(module=module, names=names):
                named = {alias.name for alias in names}
                if module in SENDING_MODULES or named & SENDING.get(module or "", set()):
                    yield str(module)
            case ast.Attribute(value=ast.Name(id=library), attr=attribute):
                if attribute in SENDING.get(library, set()):
                    yield f"{library}.{attribute}"
