"""How many calls may start to a server, beside others that answer or hang."""

import pytest

from shared.domain.publishing.call_places import CallPlaces, free_places

PLACES = CallPlaces(total=20, quick=8, unsure=3, all_unsure=10)
QUICK = frozenset({"quick", "other"})


@pytest.mark.parametrize(
    ("server", "under_way", "free"),
    [
        ("quick", {}, 8),
        ("quick", {"quick": 5}, 3),
        ("quick", {"quick": 8}, 0),
        ("quick", {"quick": 9}, 0),  # it was quick when they began
        ("new", {}, 3),
        ("new", {"new": 2, "quick": 8}, 1),
        ("new", {"new": 5}, 0),
        ("new", {"a": 3, "b": 3, "c": 3}, 1),  # of those that may hang
        ("new", {"a": 3, "b": 3, "c": 3, "d": 1}, 0),
        ("quick", {"a": 3, "b": 3, "c": 3, "d": 1}, 8),  # which leave the rest to it
        ("quick", {"other": 8, "a": 8, "b": 2}, 2),
        ("quick", {"other": 8, "a": 8, "b": 4}, 0),
    ],
)
def test_the_places_of_a_server(server: str, under_way: dict[str, int], free: int) -> None:
    assert free_places(PLACES, server, under_way, quick=QUICK) == free
