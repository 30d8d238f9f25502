"""When to look again at a post that Postiz has."""

from datetime import timedelta

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)


def pause_until_next_look(late: timedelta, *marks: timedelta) -> timedelta:
    """The pause before the next look at a post that is `late`, negative before its time.

    A second for the first ten seconds, five until a minute, then a minute, then a tenth of the
    lateness, up to an hour. It never goes beyond one of `marks`, at which the result changes.
    """
    if late < timedelta(0):
        return min(SECOND - late, DAY)  # somebody may have moved it: look at least once a day
    if late < 10 * SECOND:
        pause = SECOND
    else:
        pause = 5 * SECOND if late < MINUTE else min(max(late / 10, MINUTE), HOUR)
    return min([pause, *(mark - late for mark in marks if mark > late)])
