"""Which media of a playlist come next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True, kw_only=True)
class Selection:
    """`places`: indexes of the media to publish now. `position`: where the next run begins."""

    places: Sequence[int]
    position: int
    ended: bool


def select_media(
    position: int, length: int, *, per_run: int, loop: bool, take: Callable[[int], bool]
) -> Selection:
    """The next media that may be published; none comes twice in a run.

    `take` says whether the medium at a place may be published now; if not, it is passed over. If
    none may, the position stays. Nothing is left once a list that does not loop has ended.
    """
    start = position % length if loop else min(position, length)  # the list may be shorter now
    turn = [*range(start, length), *(range(start) if loop else ())]
    places = list(islice((place for place in turn if take(place)), per_run))
    after = places[-1] + 1 if places else start
    return Selection(
        places=places,
        position=after % length if loop else after,
        ended=not loop and after == length,
    )


def position_after_change(position: int, before: Sequence[str], after: Sequence[str]) -> int:
    """Where a changed list continues: at the same place, or at 0 if the played part changed."""
    same = list(before[:position]) == list(after[:position])
    return position if same else 0
