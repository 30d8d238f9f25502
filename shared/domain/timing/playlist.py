"""Which media of a playlist come next."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Selection:
    """`places`: indexes of the media to publish now. `position`: where the next run begins."""

    places: Sequence[int]
    position: int
    ended: bool


def select_media(position: int, length: int, *, per_run: int, loop: bool) -> Selection:
    """Nothing is left once a list that does not loop has ended. No medium comes twice in a run."""
    if not loop:
        places = range(min(position, length), min(position + per_run, length))
        return Selection(places=places, position=places.stop, ended=places.stop == length)
    start = position % length  # the list may have become shorter
    wanted = [(start + step) % length for step in range(min(per_run, length))]
    return Selection(places=wanted, position=(wanted[-1] + 1) % length, ended=False)


def position_after_change(position: int, before: Sequence[str], after: Sequence[str]) -> int:
    """Where a changed list continues: at the same place, or at 0 if the played part changed."""
    same = list(before[:position]) == list(after[:position])
    return position if same else 0
