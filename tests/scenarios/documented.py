"""A reader who types the commands of a page of docs, on a whole stack."""

import json
import re
import subprocess
from typing import Any

from local.child import ROOT
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE

_BLOCK = re.compile(r"^```\n(.+?)^```$", re.MULTILINE | re.DOTALL)


class Terminal:
    """A shell in which README's first use has been followed."""

    def __init__(self, stack: RunningStack) -> None:
        facts = stack.facts()
        first_use = (ROOT / "README.md").read_text(encoding="utf-8")
        functions = re.findall(r"^(?:call|json)\(\) .+$", first_use, re.MULTILINE)
        values = {
            "URL": f"{facts['web_url']}/api/v1",
            "KEY": facts["admin_key"],
            "POSTIZ": facts["sandbox_url"],
        }
        named = [f"{name}={value}" for name, value in values.items()]
        self._first = "\n".join(["set -euo pipefail", *named, *functions, ""])
        _, create, *_ = _BLOCK.findall(first_use.partition("## First use")[2])
        self.run(create)

    def run(self, commands: str, **ids: str) -> list[Any]:
        """What each command answers. `ids`: in place of those that the page has."""
        for kind, number in ids.items():
            commands = re.sub(rf"/{kind}/\d+", f"/{kind}/{number}", commands)
        done = subprocess.run(
            ["bash", "-c", self._first + commands],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line]


def commands_of(page: str) -> list[str]:
    return _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
