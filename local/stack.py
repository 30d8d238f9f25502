"""Puts the whole of Pressroom together on one machine: which processes, in which order, and how.

`PRESSROOM_SANDBOX=0` leaves the sandbox out and changes nothing else: profiles name their Postiz.
`PRESSROOM_FLOWER=0` leaves Flower out.

Flower has a password for its pages and its API. Its `/metrics` and `/healthcheck` stay open: it has
no setting for them. They show names of tasks and workers and no content, so its port belongs on the
loopback address, here as in docker-compose.yml.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from local.environment import service_environment, without, without_credentials
from local.errors import StackError
from local.health import celery_answers, http_answers, http_ok
from local.home import Home
from local.ports import LOOPBACK, free_port, same_port, wanted_port
from local.postgres import Postgres
from local.sandbox import timing
from local.service import Service
from local.stack_file import Addresses
from local.valkey import Valkey
from shared.task_queue import FETCH, PUBLISH, RELEASE, UPLOAD, WEBHOOKS

_WORKER_PATIENCE = 30.0  # a warm shutdown: what is under way may end


@dataclass(frozen=True, kw_only=True)
class Ports:
    web: int
    flower: int
    postgres: int
    valkey: int
    sandbox: int | None


def choose_ports(users: Mapping[str, str], last: Addresses | None = None) -> Ports:
    """`last`: of the run before."""
    sandbox = last and last.sandbox_url and urlsplit(last.sandbox_url).port
    return Ports(
        web=wanted_port("PRESSROOM_PORT", users.get("PRESSROOM_PORT", "8000")),
        flower=wanted_port("PRESSROOM_FLOWER_PORT", users.get("PRESSROOM_FLOWER_PORT", "5555")),
        postgres=free_port(),
        valkey=free_port(),
        sandbox=None if users.get("PRESSROOM_SANDBOX") == "0" else same_port(sandbox or None),
    )


class Stack:
    """The services of one home; `users` is the environment that its user gave us."""

    def __init__(
        self, home: Home, *, ports: Ports, admin_key: str, users: Mapping[str, str]
    ) -> None:
        self._home = home
        self._ports = ports
        self._admin_key = admin_key
        self._users = users
        self._postgres = Postgres(folder=home.folder / "postgres", port=ports.postgres)
        self._valkey = Valkey(folder=home.folder / "valkey", port=ports.valkey)

    @cached_property
    def addresses(self) -> Addresses:
        sandbox = self._ports.sandbox
        return Addresses(
            web_url=f"http://{LOOPBACK}:{self._ports.web}",
            flower_url=f"http://{LOOPBACK}:{self._ports.flower}",
            admin_key=self._admin_key,
            database_url=self._postgres.url(),
            redis_url=self._valkey.url(),
            sandbox_url=f"http://{LOOPBACK}:{sandbox}" if sandbox else None,
        )

    def servers(self) -> list[Service]:
        return [self._valkey.service(), self._postgres.service(), *self._sandbox()]

    def migration(self) -> Service:
        """The only process that is told the admin key: it keeps a hash of it."""
        environ = {**self.environ, "PRESSROOM_ADMIN_KEY": self._admin_key}
        command = _python("-m", "shared.migrate")
        return Service(
            name="migrate", role="migrate", command=command, environ=environ, healthy=lambda: True
        )

    def pressroom(self) -> list[Service]:
        asked = self._users.get("PRESSROOM_CONCURRENCY")
        workers = [
            self._worker(PUBLISH, RELEASE, children=asked or "3"),
            self._worker(UPLOAD, children=asked or "3"),
            self._worker(WEBHOOKS, FETCH, children="2"),  # each of which has threads
        ]
        monitor = [self._flower()] if self.has_flower else []
        return [self._web(), *workers, self._beat(), *monitor]

    @property
    def has_flower(self) -> bool:
        return self._users.get("PRESSROOM_FLOWER") != "0"

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """Of Pressroom's own processes; some get less of it."""
        urls = {"database_url": self._postgres.url(), "redis_url": self._valkey.url()}
        own = service_environment(self._users, self._home, **urls)
        flower = {"PRESSROOM_FLOWER_URL": self.addresses.flower_url} if self.has_flower else {}
        return {**flower, **own}

    def _sandbox(self) -> list[Service]:
        if self._ports.sandbox is None:
            return []
        data = self._home.folder / "sandbox"
        options = ["--port", str(self._ports.sandbox), "--data", str(data)]
        options += ["--timing", _sandbox_timing(self._users)]
        return [
            Service(
                name="sandbox",
                role="sandbox",
                title="the sandbox",
                command=_python("-m", "local.sandbox", *options),
                environ=without(without_credentials(self.environ), "DATABASE_URL", "REDIS_URL"),
                healthy=http_answers(f"{self.addresses.sandbox_url}/"),
            )
        ]

    def _web(self) -> Service:
        sandbox = self.addresses.sandbox_url
        offered = {"PRESSROOM_SANDBOX_URL": f"{sandbox}/public/v1"} if sandbox else {}
        bind = ["--bind", f"{LOOPBACK}:{self._ports.web}"]
        return Service(
            name="web",
            role="web",
            command=_python("-m", "gunicorn", "-c", "web/gunicorn_conf.py", *bind, _WEB_APP),
            environ={**self.environ, **offered},
            healthy=http_ok(f"{self.addresses.web_url}/health/ready"),
            lists_children=True,
        )

    def _worker(self, queue: str, *more: str, children: str) -> Service:
        queues = ",".join([*more, queue])
        options = ["-Q", queues, "-n", f"{queue}@%h", "--concurrency", children, *_APART]
        return Service(
            name=f"worker-{queue}",
            role="worker",
            command=_celery("worker", *options),
            environ=self.environ,
            healthy=celery_answers(self.addresses.redis_url, queue),
            patience=_WORKER_PATIENCE,
            lists_children=True,
        )

    def _beat(self) -> Service:
        return Service(
            name="beat",
            role="beat",
            command=_celery("beat", "--enable-remote-control"),
            environ=without_credentials(self.environ),
            healthy=celery_answers(self.addresses.redis_url, "celerybeat"),
        )

    def _flower(self) -> Service:
        # In its environment: a command line can be read by every user of the machine.
        options = [f"--address={LOOPBACK}", f"--port={self._ports.flower}", "--enable_events=False"]
        login = {"FLOWER_BASIC_AUTH": f"admin:{self._admin_key}"}
        return Service(
            name="flower",
            role="flower",
            command=_python("-m", "celery", "-A", "worker.monitor", "flower", *options),
            environ={**without_credentials(self.environ), **login},
            healthy=http_ok(f"{self.addresses.flower_url}/healthcheck"),
        )


def _sandbox_timing(users: Mapping[str, str]) -> str:
    asked = users.get("PRESSROOM_SANDBOX_TIMING") or "usual"
    try:
        timing.from_json(asked)
    except (TypeError, ValueError) as error:
        raise StackError(f"PRESSROOM_SANDBOX_TIMING is {asked!r}: {error}") from error
    return asked


#: Workers send events to Flower, and have nothing to say to one another.
_APART = ["-E", "--without-gossip", "--without-mingle", "--heartbeat-interval", "10"]
_WEB_APP = "web.app:create_app()"


def _python(*words: str) -> Sequence[str]:
    return [sys.executable, *words]


def _celery(*words: str) -> Sequence[str]:
    return _python("-m", "celery", "-A", "worker.app", *words)
