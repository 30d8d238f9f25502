"""How long moves to 2099 wait for more of them: pure. One counted call takes all that are ready."""

from datetime import timedelta

#: Calls left in a window while Postiz has not told its limit: that of its shipped compose file.
UNKNOWN_LEFT = 30


def gathering_time(left: int | None, unknown_after: timedelta) -> timedelta:
    """With `left` calls in the window, after a release was unclear for `unknown_after`.

    A thirtieth of that while calls are plenty (3 s of 90), twice as long for half as many of them,
    and four thirds for the last (two minutes). Without any there is nothing to gather for.
    """
    calls = UNKNOWN_LEFT if left is None else left
    if calls <= 0:
        return timedelta(0)
    return max(unknown_after / 30, unknown_after * 4 / 3 / calls)
