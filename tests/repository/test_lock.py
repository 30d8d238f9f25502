"""deploy/requirements.lock, which the image installs, is that of requirements.txt, with hashes."""

import re

from local.child import ROOT

PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
LOCK = (ROOT / "deploy" / "requirements.lock").read_text(encoding="utf-8")


def pins(text: str) -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(text)}


def test_what_is_required_is_locked_at_the_same_version() -> None:
    required = pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    locked = pins(LOCK)
    assert required
    assert {name: locked.get(name) for name in required} == required, "run `make lock`"


def test_each_locked_package_has_the_hashes_of_its_files() -> None:
    entries = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert PIN.match(entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_the_image_installs_nothing_else() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    *_, image = dockerfile.split("\nFROM ")
    installs = re.findall(r"pip install (.*)", image)
    assert installs == ["--require-hashes --requirement requirements.lock"]
    assert re.findall(r"COPY --from=(.*)", image) == ["docs /app/.docs .docs"]
