"""docs/NETWORKS.md says what the rules are."""

import re
from pathlib import Path

import pytest

from local.networks_page import page

ROOT = Path(__file__).parents[3]


def test_the_page_is_what_the_rules_make_it() -> None:
    written = (ROOT / "docs" / "NETWORKS.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew: python -m local.networks_page > docs/NETWORKS.md"


@pytest.mark.parametrize("module", ["rows/row_warnings", "networks/video_warnings"])
def test_the_page_explains_every_warning(module: str) -> None:
    source = (ROOT / "shared" / "domain" / f"{module}.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'code="(\w+)"|": \("(\w+)", "', source))
    assert codes
    for code in (one or other for one, other in codes):
        assert f"`{code}`" in page()
