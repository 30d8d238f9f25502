"""The floor plan, measured: `make house` prints the figures, and a unit test bounds them."""
