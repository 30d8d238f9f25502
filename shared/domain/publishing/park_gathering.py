"""How long moves to 2099 wait for each other, to share one counted call; pure."""

from datetime import timedelta

#: Calls left in a window while Postiz has not said its limit: the default of its compose file.
UNKNOWN_LEFT = 30


def gathering_time(left: int | None, unknown_after: timedelta) -> timedelta:
    """The wait with `left` calls in the window; a release is unclear after `unknown_after`.

    With 40 calls or more it is a thirtieth of that time (3 s of 90). With half as many calls it is
    twice as long, and for the last call four thirds of that time (two minutes). Without any call
    there is no reason to wait.
    """
    calls = UNKNOWN_LEFT if left is None else left
    if calls <= 0:
        return timedelta(0)
    return max(unknown_after / 30, unknown_after * 4 / 3 / calls)
