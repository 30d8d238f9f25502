"""The messages that beat sends, by the clock only. What is due is decided in the database."""

from shared.task_queue import EXPIRES, QUEUE_NAMES, RELEASE, UPLOAD


def _schedule_entry(task: str, seconds: float, queue: str, *args: object) -> dict[str, object]:
    # if all children are busy for seconds, a late tick is better than none
    options = {"queue": queue, "expires": max(float(EXPIRES), seconds)}
    return {"task": task, "schedule": seconds, "args": args, "options": options}


ENTRIES = {
    "tick": _schedule_entry("pressroom.tick", 1.0, RELEASE),
    "sweep": _schedule_entry("pressroom.sweep", 2.0, RELEASE),
    "schedules": _schedule_entry("pressroom.schedules", 1.0, RELEASE),
    **{
        f"pulse-{queue}": _schedule_entry("pressroom.pulse", 10.0, queue, queue)
        for queue in QUEUE_NAMES
    },
    "clean": _schedule_entry("pressroom.clean", 300.0, UPLOAD),
}
