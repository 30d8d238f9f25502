"""`python -m tests.house.hygiene [FILE …]`: what no file should have; without FILE, of all."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LARGEST_BYTES = 500_000
_MERGE_MARKER = re.compile(r"^(<<<<<<<|\|\|\|\|\|\|\||>>>>>>>) ")


def find_faults(content: bytes) -> Iterator[str]:
    """Of a text file also how it ends and what its lines end with."""
    if len(content) > LARGEST_BYTES:
        yield f"larger than {LARGEST_BYTES:,} bytes"
    if b"\0" not in content and content:
        yield from _find_text_faults(content.decode("utf-8", errors="replace"))


def _find_text_faults(text: str) -> Iterator[str]:
    if not text.endswith("\n"):
        yield "no newline at its end"
    elif text.endswith("\n\n"):
        yield "empty lines at its end"
    for number, line in enumerate(text.split("\n"), start=1):
        if line != line.rstrip():
            yield f"line {number} ends with a space"
        if _MERGE_MARKER.match(line):
            yield f"line {number} is a marker of a merge"


def list_tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name]


def main() -> int:
    """1 where a file has a fault, each of which is printed."""
    paths = [Path(name) for name in sys.argv[1:] or list_tracked_files()]
    faults = [
        f"{path}: {fault}"
        for path in paths
        if path.is_file() and not path.is_symlink()
        for fault in find_faults(path.read_bytes())
    ]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
