"""`up`: runs a stack in the foreground until it is asked to stop."""

import logging
import shutil
import signal
from collections.abc import Mapping, Sequence
from types import FrameType

from pydantic import ValidationError

from local import first_link, orphans, stack_file
from local.errors import StackError
from local.home import Home
from local.service import Service
from local.stack import Stack, choose_ports
from local.stack_file import Addresses, Processes
from local.supervisor import StopRequested, Supervisor
from shared.access.new_keys import new_key
from shared.config import read_settings

logger = logging.getLogger("local")


def up(home: Home, users: Mapping[str, str]) -> None:
    """Returns after a clean stop; raises `StackError` when something cannot be started."""
    with home.locked():
        if count := orphans.end(home.running_file):
            logger.info("ended %d processes that an earlier stack had left running", count)
        last = stack_file.read(home.stack_file)
        ports = choose_ports(users, last[0] if last else None)
        key, is_new = _admin_key(last[0] if last else None, users)
        stack = Stack(home, ports=ports, admin_key=key, users=users)
        home.stack_file.unlink(missing_ok=True)
        _Run(home, stack, keep_file=not is_new).run()


def _admin_key(last: Addresses | None, users: Mapping[str, str]) -> tuple[str, bool]:
    """The user's own, else that of the last run, else a new one; and whether it is new."""
    try:
        given = read_settings(users).admin_key
    except ValidationError as error:
        raise StackError(f"the environment has a setting that is not valid: {error}") from error
    if given is not None:
        return given.get_secret_value(), False
    return (last.admin_key, False) if last else (new_key(), True)


class _Run:
    """`keep_file`: whether stack.json stays even if this run never gets ready."""

    def __init__(self, home: Home, stack: Stack, *, keep_file: bool) -> None:
        self._home = home
        self._stack = stack
        self._keep_file = keep_file
        self._is_ready = False
        self._is_to_stop = False
        self._supervisor = Supervisor(
            log=home.log, changed=self._note, stop_requested=lambda: self._is_to_stop
        )

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._heed)
        try:
            self._start()
            self._supervisor.watch()
        except StopRequested:
            logger.info("asked to stop before it was ready")
        finally:
            self._stop()

    def _heed(self, _number: int, _frame: FrameType | None) -> None:
        self._is_to_stop = True

    def _start(self) -> None:
        shutil.rmtree(self._home.metrics, ignore_errors=True)  # counters start at zero
        servers = self._stack.servers()
        logger.info("starting %s in %s", _listed(servers), self._home.folder)
        self._supervisor.start(servers)
        logger.info("bringing the database up to date")
        self._supervisor.run_once(self._stack.migration())
        last = " and Flower" if self._stack.has_flower else ""
        logger.info("starting web, workers, beat%s", last)
        self._supervisor.start(self._stack.pressroom())
        self._is_ready = self._keep_file = True
        self._note(self._supervisor.processes())
        logger.info("%s", _announcement(self._home, self._stack))
        self._offer_first_admin()

    def _offer_first_admin(self) -> None:
        try:
            path = first_link.make_link(self._stack.environ)
        except StackError as error:  # killed at this moment, say: the stack goes on
            logger.warning("%s", error)
            return
        if path is not None:
            logger.info("no user yet; this link makes the first admin, once, within an hour:")
            logger.info("  %s%s", self._stack.addresses.web_url, path)

    def _stop(self) -> None:
        logger.info("stopping (running work gets up to half a minute to finish)")
        self._supervisor.stop()
        if self._keep_file:
            stack_file.write(self._home.stack_file, self._stack.addresses, {})
        self._home.running_file.unlink(missing_ok=True)
        logger.info("stopped")

    def _note(self, processes: Processes) -> None:
        orphans.remember(
            self._home.running_file, (pid for pids in processes.values() for pid in pids)
        )
        if self._is_ready:
            stack_file.write(self._home.stack_file, self._stack.addresses, processes)


def _listed(servers: Sequence[Service]) -> str:
    *most, last = [service.title for service in servers]
    return f"{', '.join(most)} and {last}"


def _announcement(home: Home, stack: Stack) -> str:
    addresses = stack.addresses
    lines = [
        "ready",
        f"  Pressroom   {addresses.web_url} (its API, to read and to try: /docs/api)",
        f"  admin key   in {home.stack_file}, which only you can read",
        f"  logs        {home.logs}",
        "  to stop     make down, or Ctrl-C here",
    ]
    if stack.has_flower:
        login = "(user admin, password: the admin key)"
        lines.insert(2, f"  Flower      {addresses.flower_url} {login}")
    if addresses.sandbox_url:
        lines.insert(-3, f"  sandbox     {addresses.sandbox_url}/public/v1 (key sandbox-demo-key)")
    return "\n".join(lines)
