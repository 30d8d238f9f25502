"""What the pages for developers name is there: paths, what modules define, and commands."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.house.hygiene import find_faults

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "docs" / "adr").glob("0*.md"))
GUIDE = ROOT / "CONTRIBUTING.md"
PAGES = [GUIDE, ROOT / "ARCHITECTURE.md", *RECORDS]
EXAMPLES = ["A rule that refuses a post", "An endpoint", "A task", "A migration"]
FOLDERS = ("shared/", "web/", "worker/", "local/", "tests/", "docs/")

_CODE = re.compile(r"`([^`]+)`")
#: `path/of/module.py`, or `path/of/module.py: name, name`.
_REFERENCE = re.compile(r"((?:[\w.-]+/)+(?:[\w.-]+)?)(?:: ([\w, ]+))?")


def read_page(page: Path) -> str:
    """Without its blocks of code; what goes over the end of a line is made whole."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    return re.sub(r"\n +(?=\S)", " ", text)


def code_in(page: Path) -> list[str]:
    return [" ".join(code.split()) for code in _CODE.findall(read_page(page))]


def references_in(code: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each path of the repository, with what is said to be defined there."""
    for span in code:
        found = _REFERENCE.fullmatch(span)
        if found and found[1].startswith(FOLDERS):
            yield found[1], [name.strip() for name in (found[2] or "").split(",") if name.strip()]


@cache
def names_defined_in(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {each.id for each in targets if isinstance(each, ast.Name)}
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    missing = []
    for path, names in references_in(code_in(page)):
        if not (ROOT / path).exists():
            missing.append(path)
        elif names:
            defined = names_defined_in(ROOT / path)
            missing += [f"{path}: {name}" for name in names if name not in defined]
    modules = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    bare = [code for code in code_in(page) if re.fullmatch(r"\w+\.py", code)]
    missing += [name for name in bare if name not in modules]
    assert missing == []


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_has_steps_that_name_files_and_a_test(title: str) -> None:
    _, _, section = read_page(GUIDE).partition(f"\n## {title}\n")
    section, _, _ = section.partition("\n## ")
    steps = re.findall(r"^\d+\. (.+)$", section, flags=re.M)
    paths = [path for path, _ in references_in(_CODE.findall(section))]
    assert section.strip().startswith("Example: ")
    assert len(steps) >= 4
    assert any(path.startswith("tests/") for path in paths)


def commands_in(page: Path, program: str) -> list[list[str]]:
    return [code.split() for code in code_in(page) if code.startswith(f"{program} ")]


def test_the_commands_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = commands_in(GUIDE, "make")
    assert commands
    for _, target, *settings in commands:
        assert re.search(rf"^{re.escape(target)}:", makefile, flags=re.M), f"make {target}"
        for name, value in (setting.split("=") for setting in settings):
            assert f"$({name})" in makefile, f"make {target} {name}=…"
            assert (ROOT / value).exists()


def test_the_programs_that_are_run_are_there() -> None:
    pinned = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    programs = re.findall(r"`\.venv/bin/([\w-]+)", read_page(GUIDE))
    assert programs
    assert [name for name in programs if f"\n{name}==" not in pinned] == []
    for _, _, module, *_ in commands_in(GUIDE, "python"):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists()


def test_the_folders_are_all_in_the_table() -> None:
    table = {path for path, _ in references_in(code_in(ROOT / "ARCHITECTURE.md"))}
    packages = [
        f"{path.parent.relative_to(ROOT).as_posix()}/"
        for folder in ("shared", "web", "worker", "local")
        for path in (ROOT / folder).rglob("__init__.py")
    ]
    assert [package for package in sorted(packages) if package not in table] == []


def test_the_list_of_decisions_names_each_once() -> None:
    listed = re.findall(r"\]\((0\d+-[\w-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text())
    assert listed == [record.name for record in RECORDS]


def test_each_library_has_its_reason() -> None:
    reasons = (ROOT / "docs/adr/0014-libraries.md").read_text(encoding="utf-8")
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([\w-]+)", pinned, flags=re.M)
    short = {"flask-openapi3-swagger": "-swagger"}
    assert [name for name in names if short.get(name, name) not in reasons] == []


def test_the_hooks_run_what_make_check_runs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(BIN)", ".venv/bin")
    _, _, check = makefile.partition("\ncheck:")
    check, _, _ = check.partition("\nifdef")  # with the targets that it makes
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["id"]: hook for hook in local["hooks"]}
    assert local["repo"] == "local"
    assert {hook["language"] for hook in hooks.values()} == {"system"}
    for name in ("lint", "format", "types"):
        assert hooks[name]["entry"] in check


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (b"", []),
        (b"one\ntwo\n", []),
        (b"\0 \n\n", []),
        (b"one", ["no newline at its end"]),
        (b"one\n\n", ["empty lines at its end"]),
        (b"one \ntwo\r\n", ["line 1 ends with a space", "line 2 ends with a space"]),
        (b"<" * 7 + b" ours\n=======\n", ["line 1 is a marker of a merge"]),
        (b"\0" * 500_001, ["larger than 500,000 bytes"]),
    ],
)
def test_file_hygiene_finds_each_fault(content: bytes, faults: list[str]) -> None:
    assert list(find_faults(content)) == faults
