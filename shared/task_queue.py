"""Names and queues of the tasks, and the wake-ups: messages that only say "look"."""

import random
from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from shared import metrics
from shared.log import get_logger

PUBLISH = "publish"  # short work: nothing here may take longer than a call to Postiz
RELEASE = "release"  # what is due to the second: the same workers, but ahead of other work
UPLOAD = "upload"  # long work: whole files
FETCH = "fetch"  # files from addresses of users: no upload waits for a slow source
WEBHOOKS = "webhooks"  # receivers of all kinds: no release and no file waits for them

#: Each queue needs a worker.
QUEUE_NAMES = (RELEASE, PUBLISH, UPLOAD, FETCH, WEBHOOKS)

#: Task → queue. Arguments are ids, never content.
QUEUES = {
    "pressroom.tick": RELEASE,
    "pressroom.upload": UPLOAD,
    "pressroom.fetch": FETCH,
    "pressroom.stage": PUBLISH,
    "pressroom.release": RELEASE,
    "pressroom.reconcile": PUBLISH,
    "pressroom.track": PUBLISH,
    "pressroom.cancel": PUBLISH,
    "pressroom.litter": PUBLISH,
    "pressroom.meet": PUBLISH,
    "pressroom.probe": PUBLISH,
    "pressroom.deliver": WEBHOOKS,
    "pressroom.sweep": RELEASE,
    "pressroom.schedules": RELEASE,
    "pressroom.clean": UPLOAD,
    "pressroom.remove": UPLOAD,
    "pressroom.pulse": PUBLISH,
}
#: A wake-up that waited this long (seconds) is not needed: the sweep has sent another.
EXPIRES = 10
#: If this many messages wait, they already say the same: no more wake-ups are added.
MOST_WAITING = 500
#: How many `pressroom.release` messages may wait at once. A release task goes on while something is
#: late, so more messages would only delay what the clock sends.
RELEASES_WAITING = 6
#: A worker that was woken goes on by itself: more than a few wake-ups would wake nobody else.
UPLOADS_WOKEN = 20

#: With Redis down, a message costs about one second; with Redis frozen, two.
TRANSPORT = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
#: Of every Celery app that is told the broker's address.
CELERY_SETTINGS = {
    "task_default_queue": PUBLISH,
    "task_routes": {name: {"queue": queue} for name, queue in QUEUES.items()},
    "task_serializer": "json",
    "accept_content": ["json"],
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": TRANSPORT,
    "timezone": "UTC",
}
WEB_TRANSPORT = {**TRANSPORT, "socket_timeout": 1, "socket_connect_timeout": 1}

log = get_logger("enqueue")


def make_sender(redis_url: str) -> Celery:
    """A Celery app that only sends; for processes that run no tasks."""
    app = Celery("pressroom", broker=redis_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        broker_transport_options=WEB_TRANSPORT,
        broker_connection_retry=False,
        broker_connection_timeout=1,
        redis_socket_timeout=1,
        redis_socket_connect_timeout=1,
    )
    return app


class Waker:
    """Sends wake-ups. A broker that is away is not a failure: the sweep finds the work anyway."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def wake(self, task: str, *args: Any, queue: str | None = None) -> bool:
        """Returns whether the message was sent. Nothing may depend on it."""
        try:
            self._app.send_task(
                task,
                args=args,
                queue=queue or QUEUES[task],
                expires=EXPIRES,
                retry=False,
                ignore_result=True,
                argsrepr=repr(args),
            )
        except (OperationalError, OSError) as error:
            log.warning("wake-up not sent", task=task, reason=str(error))
            metrics.WAKEUPS_LOST.labels(task).inc()
            return False
        return True

    def wake_some(self, wanted: Sequence[tuple[str, int]], *, most: int = MOST_WAITING) -> None:
        """Send as many of these wake-ups as the publishing queue has room for.

        Each is a task and an id. They are chosen at random; those left out have the same chance in
        the next round, which comes soon.
        """
        room = max(0, most - self.messages())
        chosen = wanted if len(wanted) <= room else random.sample(wanted, room)
        for task, argument in chosen:
            if not self.wake(task, argument):
                return

    def messages(self, queue: str = PUBLISH) -> int:
        """How many messages wait in a queue; 0 if the broker cannot be asked."""
        with self._app.pool.acquire(block=True) as connection:
            try:
                return int(connection.default_channel.client.llen(queue))
            except (OperationalError, *connection.connection_errors) as error:
                log.warning("the broker cannot be asked", reason=str(error))
                return 0

    def upload(self, account_media_id: int) -> bool:
        return self.wake("pressroom.upload", account_media_id)

    def uploads(self, account_media_ids: Sequence[int]) -> None:
        """Stops at the first that cannot be sent: without a broker, each costs a time-out.

        Media of which only the address is known are fetched first.
        """
        if not account_media_ids or not self.fetch():
            return
        for upload_id in account_media_ids[:UPLOADS_WOKEN]:
            if not self.upload(upload_id):
                return

    def fetch(self) -> bool:
        return self.wake("pressroom.fetch")

    def stage(self, account_id: int) -> bool:
        return self.wake("pressroom.stage", account_id)

    def look(self, account_id: int) -> bool:
        """Something was resumed, retried or cancelled on this account."""
        return self.stage(account_id) and self.wake("pressroom.cancel", account_id)

    def remove_profiles(self) -> bool:
        return self.wake("pressroom.remove")

    def deliver(self) -> bool:
        return self.wake("pressroom.deliver")

    def release(self) -> None:
        if self.messages(RELEASE) < RELEASES_WAITING:
            self.wake("pressroom.release")

    def reconcile(self, account_id: int) -> bool:
        return self.wake("pressroom.reconcile", account_id)
