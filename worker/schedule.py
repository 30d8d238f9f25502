"""What beat sends: a clock, and nothing else. What is due is decided in the database."""

from shared.enqueue import PUBLISH, RELEASE, UPLOAD


def _every(task: str, seconds: float, queue: str, *args: object) -> dict[str, object]:
    # a tick that waited longer than until the next one is not needed
    options = {"queue": queue, "expires": max(2.0, seconds)}
    return {"task": task, "schedule": seconds, "args": args, "options": options}


ENTRIES = {
    "tick": _every("pressroom.tick", 1.0, RELEASE),
    "sweep": _every("pressroom.sweep", 2.0, PUBLISH),
    "pulse-publish": _every("pressroom.pulse", 10.0, PUBLISH, PUBLISH),
    "pulse-upload": _every("pressroom.pulse", 10.0, UPLOAD, UPLOAD),
}
