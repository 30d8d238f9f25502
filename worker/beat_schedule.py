"""The messages that beat sends: by the time only, or when the database says that they are due."""

from shared.task_queue import EXPIRES, QUEUE_NAMES, RELEASE, UPLOAD
from worker.heartbeats import BEAT


def _schedule_entry(task: str, seconds: float, queue: str, *args: object) -> dict[str, object]:
    # if all children are busy for seconds, a late tick is better than none
    options = {"queue": queue, "expires": max(float(EXPIRES), seconds)}
    return {"task": task, "schedule": seconds, "args": args, "options": options}


#: By the time only. Beat is seen when its pulse comes through the queue of what is due.
ENTRIES = {
    **{f"pulse-{queue}": _schedule_entry("pressroom.pulse", 10.0, queue) for queue in QUEUE_NAMES},
    f"pulse-{RELEASE}": _schedule_entry("pressroom.pulse", 10.0, RELEASE, BEAT),
    "clean": _schedule_entry("pressroom.clean", 300.0, UPLOAD),
}
#: The header by which a round names the steps that are due. A worker of a version that does not
#: know it does all of them.
STEPS = "steps"
#: While they would find something (worker/clock.py), and no more often than it says here.
ROUNDS = {
    "tick": _schedule_entry("pressroom.tick", 1.0, RELEASE),
    "sweep": _schedule_entry("pressroom.sweep", 2.0, RELEASE),
    "schedules": _schedule_entry("pressroom.schedules", 1.0, RELEASE),
}
