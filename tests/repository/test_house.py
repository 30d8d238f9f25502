"""The floor plan keeps its bounds: `make house` prints the same figures."""

import pytest

from tests.house.figures import BOUNDS, measure


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return measure()


@pytest.mark.parametrize("name", BOUNDS)
def test_the_house_keeps_its_bounds(figures: dict[str, float], name: str) -> None:
    assert BOUNDS[name].holds(figures[name]), f"{name}: {figures[name]:.1f}; see `make house`"
