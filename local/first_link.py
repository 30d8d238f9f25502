"""The link that makes the first admin."""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing

import psycopg2

from local.child import ROOT
from local.environment import without, without_credentials
from local.errors import StackError


def make_link(environ: Mapping[str, str]) -> str | None:
    """Its path, None if there is a user. Made by a process of its own: what it takes to make one
    would stay in the memory of the one that asks.

    Raises `StackError`.
    """
    if _has_user(environ["DATABASE_URL"]):
        return None
    own = without(without_credentials(environ), "PRESSROOM_PUBLIC_URL")
    done = subprocess.run(
        [sys.executable, "-m", "shared.first_admin"],
        env=own,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"no link for the first admin could be made:\n{done.stderr}")
    return done.stdout.strip()


def _has_user(database_url: str) -> bool:
    try:
        with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM users LIMIT 1")
            return cursor.fetchone() is not None
    except psycopg2.Error as error:
        raise StackError(f"nobody knows whether there is a user: {error}") from error
