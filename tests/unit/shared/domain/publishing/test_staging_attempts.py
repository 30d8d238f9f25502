"""Calls that came to nothing: held against nobody at first, and at last against who was alone."""

import pytest

from shared.domain.publishing.staging_attempts import DEFECTIVE, UNCLEAR, double_limit


@pytest.mark.parametrize(
    ("calls", "pack", "limit"),
    [(1, 300, None), (5, 300, None), (6, 300, 150), (9, 3, 1), (9, 1, 1)],
)
def test_a_pack_is_halved_once_it_is_no_chance_any_more(
    calls: int, pack: int, limit: int | None
) -> None:
    assert UNCLEAR.limit(calls, pack) == limit


def test_an_error_of_our_own_is_no_chance() -> None:
    assert DEFECTIVE.limit(1, 300) == 150


def test_only_a_post_that_went_alone_is_given_up() -> None:
    assert UNCLEAR.is_over(30, 1)
    assert not UNCLEAR.is_over(29, 1)
    assert not UNCLEAR.is_over(300, 2)


def test_a_post_that_kills_its_worker_is_alone_long_before_it_is_given_up() -> None:
    pack, calls = 300, 0
    while not UNCLEAR.is_over(calls, pack):
        calls += 1
        pack = UNCLEAR.limit(calls, pack) or pack
    assert calls == UNCLEAR.most


@pytest.mark.parametrize(("limit", "wider"), [(1, 2), (149, 298), (150, None), (300, None)])
def test_packs_that_were_halved_grow_again_with_each_call_that_goes_well(
    limit: int, wider: int | None
) -> None:
    assert double_limit(limit) == wider
