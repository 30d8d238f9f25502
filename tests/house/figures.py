"""What is measured of shared, web, worker and cli, and the bounds.

Names are of functions of modules (a method has its class beside it); routes of the API, which are
operation ids, are left out. A package is a folder. The modules that stand in a top folder itself
count one by one in the graph: some lie below its packages (`errors`), others above (`tasks`).
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
from radon.complexity import cc_visit

ROOT = Path(__file__).parents[2]
TOP = ("shared", "web", "worker", "cli")
#: Of all functions, so many in a hundred may not be less simple than this.
PERCENTILE = 0.95
FEW_WORDS_PUBLIC = "one-word public functions (%)"
FEW_WORDS_PRIVATE = "one-word private functions (%)"
ONE = "`one` for a variable (per 1,000 lines)"
FULLEST = "modules in the fullest package"
CYCLES = "packages in cycles"
TYPED = "typed functions (%)"
COMPLEXITY = "complexity, 95th percentile"
LONGEST_FUNCTION = "lines of the longest function"
LONGEST_FILE = "lines of the longest file"


@dataclass(frozen=True)
class Bound:
    sign: str
    value: float

    def holds(self, figure: float) -> bool:
        return figure >= self.value if self.sign == "≥" else figure <= self.value


BOUNDS: Mapping[str, Bound] = {
    FEW_WORDS_PUBLIC: Bound("≤", 20),
    FEW_WORDS_PRIVATE: Bound("≤", 10),
    ONE: Bound("≤", 1),
    FULLEST: Bound("≤", 16),
    CYCLES: Bound("≤", 0),
    TYPED: Bound("≥", 100),
    COMPLEXITY: Bound("≤", 7),
    LONGEST_FUNCTION: Bound("≤", 40),
    LONGEST_FILE: Bound("≤", 400),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    path: Path
    text: str
    tree: ast.Module

    @property
    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


def measure() -> dict[str, float]:
    modules = list(read_modules())
    public, private = _names(modules)
    return {
        FEW_WORDS_PUBLIC: _percent(map(is_one_word, public)),
        FEW_WORDS_PRIVATE: _percent(map(is_one_word, private)),
        ONE: 1000 * sum(map(count_ones, modules)) / sum(m.text.count("\n") for m in modules),
        FULLEST: max(Counter(m.path.parent for m in modules if m.path.stem != "__init__").values()),
        CYCLES: len(find_cycle(TOP)),
        TYPED: _percent(is_typed(function) for m in modules for function in m.functions),
        COMPLEXITY: _percentile(complexity for m in modules for complexity in complexities(m)),
        LONGEST_FUNCTION: max(length_of(function) for m in modules for function in m.functions),
        LONGEST_FILE: max(m.text.count("\n") for m in modules),
    }


def read_modules(tops: Iterable[str] = TOP) -> Iterator[Module]:
    """Without migrations: each is history, and is run once."""
    for path in (path for top in tops for path in sorted((ROOT / top).rglob("*.py"))):
        if "versions" not in path.parts:
            text = path.read_text(encoding="utf-8")
            yield Module(path, text, ast.parse(text))


def _names(modules: Iterable[Module]) -> tuple[list[str], list[str]]:
    names = [
        node.name
        for module in modules
        for node in functions_outside_classes(module.tree)
        if not is_route(node)
    ]
    return (
        [name for name in names if not name.startswith("_")],
        [name for name in names if name.startswith("_")],
    )


def functions_outside_classes(node: ast.AST) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            continue
        if isinstance(child, Function):
            yield child
        yield from functions_outside_classes(child)


def is_route(function: Function) -> bool:
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in {"get", "post", "put", "patch", "delete"}
        for decorator in function.decorator_list
    )


def is_one_word(name: str) -> bool:
    return "_" not in name.strip("_")


def count_ones(module: Module) -> int:
    return sum(
        (isinstance(node, ast.Name) and node.id == "one")
        or (isinstance(node, ast.arg) and node.arg == "one")
        for node in ast.walk(module.tree)
    )


def is_typed(function: Function) -> bool:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    if given.vararg:
        named.append(given.vararg)
    if given.kwarg:
        named.append(given.kwarg)
    asked = [argument for argument in named if argument.arg not in {"self", "cls"}]
    return function.returns is not None and all(argument.annotation for argument in asked)


def complexities(module: Module) -> Iterator[int]:
    """McCabe's, of each function and method."""
    for block in cc_visit(module.text):
        yield from [method.complexity for method in getattr(block, "methods", [])] or [
            block.complexity
        ]


def length_of(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def find_cycle(tops: Iterable[str]) -> list[str]:
    """The packages of one cycle; none where there is none."""
    graph = grimp.build_graph(*tops)
    imports: dict[str, set[str]] = {}
    for importer in graph.modules:
        imported = {package_of(each) for each in graph.find_modules_directly_imported_by(importer)}
        imports.setdefault(package_of(importer), set()).update(imported - {package_of(importer)})
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        return list(error.args[1])[1:]
    return []


def package_of(module: str) -> str:
    path = ROOT / module.replace(".", "/")
    package = module if path.is_dir() else module.rpartition(".")[0]
    return module if "." not in package or package == "shared.domain" else package


def _percent(answers: Iterable[bool]) -> float:
    counted = Counter(answers)
    return 100 * counted[True] / counted.total()


def _percentile(values: Iterable[int]) -> int:
    ordered = sorted(values)
    return ordered[int(PERCENTILE * (len(ordered) - 1))]
