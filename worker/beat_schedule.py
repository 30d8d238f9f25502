"""What beat sends: a clock, and nothing else. What is due is decided in the database."""

from shared.task_queue import EXPIRES, QUEUE_NAMES, RELEASE, UPLOAD


def _every(task: str, seconds: float, queue: str, *args: object) -> dict[str, object]:
    # where all children are busy for seconds, a tick that comes late is better than none
    options = {"queue": queue, "expires": max(float(EXPIRES), seconds)}
    return {"task": task, "schedule": seconds, "args": args, "options": options}


ENTRIES = {
    "tick": _every("pressroom.tick", 1.0, RELEASE),
    "sweep": _every("pressroom.sweep", 2.0, RELEASE),
    "schedules": _every("pressroom.schedules", 1.0, RELEASE),
    **{f"pulse-{queue}": _every("pressroom.pulse", 10.0, queue, queue) for queue in QUEUE_NAMES},
    "clean": _every("pressroom.clean", 300.0, UPLOAD),
}
