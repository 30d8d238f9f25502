"""What rjsmin, which shortens the scripts of the pages as they are served, does not know."""

import re
from pathlib import Path

from local.child import ROOT

SCRIPTS = sorted(Path(ROOT, "web/pages/static").glob("*.js"))


def test_no_template_stands_in_a_template() -> None:
    """Of `a ${b ? ` c` : ""}` rjsmin takes the inner one for code, and its spaces away."""
    assert SCRIPTS
    nested = {path.name: re.findall(r"\$\{[^}`]*`.*", path.read_text()) for path in SCRIPTS}
    assert {name: found for name, found in nested.items() if found} == {}
