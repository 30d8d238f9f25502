"""`python -m local.run PROGRAM …`: runs a program with the settings and the PostgreSQL of a stack.

While the stack is down its PostgreSQL runs for as long as the program does, and nothing else: to
restore a backup, and to settle before anything is sent.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from local import stack_file
from local.environment import service_environment
from local.errors import StackError
from local.home import Home, home_from
from local.ports import free_port
from local.postgres import Postgres, program
from local.supervisor import Supervisor


def environment(users: Mapping[str, str], home: Home, database_url: str) -> dict[str, str]:
    """That of the stack's processes, with what PostgreSQL's own programs read besides."""
    known = stack_file.read(home.stack_file)
    redis_url = known[0].redis_url if known else "redis://127.0.0.1:1/0"  # of a stack never started
    made = service_environment(users, home, database_url=database_url, redis_url=redis_url)
    parts = urlsplit(database_url)
    folders = [str(Path(sys.executable).parent), str(Path(program("psql")).parent)]
    return {
        **made,
        "PATH": os.pathsep.join([*folders, made.get("PATH", os.defpath)]),
        "PGHOST": str(parts.hostname),
        "PGPORT": str(parts.port),
        "PGUSER": str(parts.username),
        "PGPASSWORD": str(parts.password),
        "PGDATABASE": parts.path.removeprefix("/"),
    }


@contextmanager
def database_of(home: Home) -> Iterator[str]:
    """Its address: the running stack's, or of a server that runs for the while."""
    known = stack_file.read(home.stack_file)
    if home.holder() is not None and known is not None:
        yield known[0].database_url
        return
    with home.locked():
        server = Postgres(folder=home.folder / "postgres", port=free_port())
        supervisor = Supervisor(log=home.log, changed=lambda _: None, stop_requested=lambda: False)
        try:
            supervisor.start([server.service()])
            yield server.url()
        finally:
            supervisor.stop()


def main() -> int:
    home = home_from(os.environ)
    try:
        with database_of(home) as url:
            made = environment(os.environ, home, url)
            return subprocess.run(sys.argv[1:], env=made, check=False).returncode
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
