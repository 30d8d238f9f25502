"""deploy/*.lock, which the image is built of, are those of our requirements, with hashes."""

import re
from pathlib import Path

import pytest

from local.child import ROOT

PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
LOCKS = {
    "requirements.txt": ROOT / "deploy" / "requirements.lock",
    "local/docs_site/requirements.txt": ROOT / "deploy" / "docs.lock",
}


def pins(text: str) -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(text)}


@pytest.mark.parametrize(("requirements", "lock"), LOCKS.items(), ids=LOCKS)
def test_what_is_required_is_locked_at_the_same_version(requirements: str, lock: Path) -> None:
    required = pins((ROOT / requirements).read_text(encoding="utf-8"))
    locked = pins(lock.read_text(encoding="utf-8"))
    assert required
    assert {name: locked.get(name) for name in required} == required, "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_each_locked_package_has_the_hashes_of_its_files(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert PIN.match(entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_the_image_installs_nothing_else() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install (.*)", dockerfile)
    locks = [f"--require-hashes --requirement {lock.name}" for lock in LOCKS.values()]
    assert sorted(installs) == sorted(locks)
    *_, image = dockerfile.split("\nFROM ")
    assert re.findall(r"COPY --from=(.*)", image) == ["docs /app/.docs .docs"]
