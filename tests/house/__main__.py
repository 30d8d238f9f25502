"""`make house`: prints each figure beside its bound; ends with 1 where one is missed."""

import sys

from rich.console import Console
from rich.table import Table

from tests.house.figures import BOUNDS, measure


def main() -> int:
    figures = measure()
    table = Table("figure", "is", "bound")
    for name, bound in BOUNDS.items():
        table.add_row(name, f"{figures[name]:.1f}", f"{bound.sign} {bound.value:g}")
    Console(width=80).print(table)
    return 0 if all(bound.holds(figures[name]) for name, bound in BOUNDS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
