"""Rotating the keys that seal secrets: after it the old key is not needed for anything."""

import os
import subprocess
import sys

from cryptography.fernet import Fernet
from sqlalchemy import inspect, text

from local.child import ROOT
from shared.config import read_settings
from shared.crypto import SecretBox
from shared.db import Database
from shared.models import ApiKey, IdempotencyKey, Profile, User, Webhook
from shared.rotate import Rotated, reseal_secrets

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def fill(database: Database, box: SecretBox) -> None:
    with database.transaction() as session:
        for number in range(230):  # more than two batches
            postiz = {"api_url": "https://p.example", "api_key": box.seal(f"key {number}")}
            settings = {"postiz": postiz, "voice": "x"} if number % 2 else {"voice": "x"}
            session.add(Profile(id=f"p{number:03}", name="n", tts_settings=settings))
        old = [{"secret": box.seal(f"old {n}"), "until": "2027-01-01T00:00:00Z"} for n in range(2)]
        hook = {"url": "https://a.example", "events": [], "secret": box.seal("hook")}
        user = {"email": "a@a.example", "name": "n", "role": "viewer"}
        session.add(User(**user, totp_secret=box.seal("totp")))
        session.add(Webhook(**hook, old_secrets=old))
        session.add(ApiKey(id=1, name="k", key_hash="h", scopes=[]))
        session.flush()
        sealed = box.seal("b")
        session.add_all(
            IdempotencyKey(
                caller="key 1",
                key=str(n),
                request_hash="h",
                status=200,
                headers={},
                body=sealed,
            )
            for n in range(3)
        )


def sealed_anywhere(database: Database) -> list[str]:
    """Whatever looks sealed, in any column of any table."""
    found = []
    with database.transaction() as session:
        inspector = inspect(session.connection())
        for table in inspector.get_table_names():
            rows = session.scalars(text(f'SELECT row_to_json("{table}")::text FROM "{table}"'))
            found += [
                "gAAAA" + rest.split('"')[0] for row in rows for rest in row.split("gAAAA")[1:]
            ]
    return found


def test_after_rotation_the_new_key_alone_opens_everything(database_url: str) -> None:
    database = Database.connect(read_settings({"DATABASE_URL": database_url}))
    fill(database, SecretBox([OLD]))
    assert len(sealed_anywhere(database)) == 122
    assert reseal_secrets(database, SecretBox([NEW, OLD])) == Rotated(count=121)
    opened = [SecretBox([NEW]).open(token) for token in sealed_anywhere(database)]
    assert sorted(opened)[:3] == ["b", "b", "b"]
    assert {opened.count(each) for each in ("key 229", "hook", "totp", "old 1")} == {1}
    assert reseal_secrets(database, SecretBox([NEW])) == Rotated(count=0)
    database.close()


def test_a_key_that_is_missing_is_said_and_loses_nothing(database_url: str) -> None:
    database = Database.connect(read_settings({"DATABASE_URL": database_url}))
    fill(database, SecretBox([OLD]))
    before = sealed_anywhere(database)
    done = reseal_secrets(database, SecretBox([NEW]))
    assert done.count == 0
    assert len(done.unreadable) == 121 and "profiles.tts_settings of ('p001',)" in done.unreadable
    assert sealed_anywhere(database) == before
    database.close()


def test_the_command(database_url: str) -> None:
    database = Database.connect(read_settings({"DATABASE_URL": database_url}))
    fill(database, SecretBox([OLD]))
    environ = {**os.environ, "DATABASE_URL": database_url, "PRESSROOM_SECRET_KEYS": f"{NEW},{OLD}"}
    command = [sys.executable, "-m", "shared.rotate"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    assert '"count": 121' in done.stderr
    assert {SecretBox([NEW]).open(token)[:1] for token in sealed_anywhere(database)} == {
        "b",
        "k",
        "h",
        "o",
        "t",
    }
    database.close()
