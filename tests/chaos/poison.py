"""Poison: rows that no process can read or use, beside the good ones of the same loops."""

import random
import time
from collections.abc import Sequence
from contextlib import suppress

from cryptography.fernet import Fernet
from sqlalchemy import Update, func, update
from sqlalchemy.exc import SQLAlchemyError

from shared.crypto import SecretBox
from shared.db import ROW_LOCK, Database
from shared.domain.webhook_retries import POST_FAILED, POST_PUBLISHED
from shared.models import Profile, Schedule, Webhook
from tests.chaos.arena import Arena
from tests.chaos.cast import Member
from tests.chaos.client import Client
from tests.chaos.diary import Diary
from tests.chaos.people import People

#: What the diary calls things that the audit asks for.
SPOILED, RESEALED = "secret unreadable", "secret replaced"
ZONE_GONE, NO_ZONE = "schedule spoiled", "US/Gone"


def foreign(text: str) -> str:
    """Sealed with a key that nobody has any more."""
    return SecretBox([Fernet.generate_key().decode()]).seal(text)


def make_unreadable(database: Database, profile_id: str) -> None:
    """The profile's key in Postiz cannot be opened any more, by nobody."""
    with database.transaction() as session:
        profile = session.get_one(Profile, profile_id, with_for_update=ROW_LOCK)
        sealed = {**profile.tts_settings["postiz"], "api_key": foreign("a key of Postiz's")}
        profile.tts_settings = {**profile.tts_settings, "postiz": sealed}
        profile.settings_version += 1


class Poison:
    def __init__(self, arena: Arena, people: People, cast: Sequence[Member], diary: Diary) -> None:
        self._arena = arena
        self._people = people
        self._cast = cast
        self._diary = diary

    def spoil_secret(self, rng: random.Random) -> None:
        """What is stored of a profile cannot be opened for some seconds, until a PATCH."""
        member = rng.choice(self._cast)
        with member.lock:
            if not self._seal_with_a_lost_key(member):
                return
            member.saved.append((f"{member.profile} unreadable", time.time()))
            self._diary.note(SPOILED, member.profile)
            time.sleep(rng.uniform(4, 12))
            while not self._people.save_key(member, member.next_key()):
                time.sleep(1)
            self._diary.note(RESEALED, member.profile)

    def _seal_with_a_lost_key(self, member: Member) -> bool:
        with suppress(SQLAlchemyError):
            make_unreadable(self._arena.database, member.profile)
            return True
        return False

    def spoil_webhook(self, webhook_id: int) -> None:
        """It can sign nothing any more."""
        secret = foreign("whsec_" + "A" * 44)
        self._until_written(update(Webhook).where(Webhook.id == webhook_id).values(secret=secret))
        self._diary.note("webhook spoiled")

    def spoil_schedule(self, schedule_id: int) -> None:
        """Its zone is gone from the list of zones, and it is due at once."""
        gone = {"timezone": NO_ZONE, "next_fire_at": func.now()}
        self._until_written(update(Schedule).where(Schedule.id == schedule_id).values(gone))
        self._diary.note(ZONE_GONE)

    def _until_written(self, statement: Update) -> None:
        for _ in range(30):
            with suppress(SQLAlchemyError), self._arena.database.transaction() as session:
                session.execute(statement)
                return
            time.sleep(1)


def subscribe_in_vain(client: Client, url: str) -> int:
    """A webhook beside the good one, whose secret is to be spoiled; its id."""
    body = {"url": url, "events": [POST_PUBLISHED, POST_FAILED]}
    made = client.insist("POST", "/webhooks", once="one that hears nothing", json=body)
    return int(made["id"])
