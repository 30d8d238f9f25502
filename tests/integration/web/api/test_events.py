"""A job's events reach whoever follows it: all of them, once each, over every break."""

import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from sqlalchemy import text

from shared.config import read_settings
from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.jobs import event_feed
from shared.jobs.event_feed import Place
from shared.models import Account, Event, Job, Post, Profile
from shared.posts import transitions
from tests.factories.files import FILES
from tests.servers.api import ADMIN_KEY
from tests.servers.web_server import HEADERS, Server
from tests.timing.patience import PATIENCE, wait_until
from web.api.events import HEARTBEAT
from web.concurrency_limits import STREAMS, UPLOADS


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database.connect(read_settings({"DATABASE_URL": database_url}))
    yield made
    made.close()


def a_job(database: Database, number: int) -> tuple[int, list[int]]:
    """A job of pending posts that no worker looks at."""
    with database.transaction() as session:
        if session.get(Profile, "acme") is None:
            session.add(Profile(id="acme", name="acme", tts_settings={}))
        account = Account(server="http://nowhere", key_hash="h")
        session.add(account)
        session.flush()
        job = Job(kind="publish", profile_id="acme", total=number)
        session.add(job)
        session.flush()
        rows = [
            Post(
                job_id=job.id,
                position=position,
                profile_id="acme",
                account_id=account.id,
                integration_id="int",
                content="c",
                publish_at=text("now()"),
                handoff="staged",
            )
            for position in range(number)
        ]
        session.add_all(rows)
        session.flush()
        return job.id, [row.id for row in rows]


def cancel(database: Database, post_id: int) -> None:
    with database.transaction() as session:
        transitions.move_posts(
            session, [post_id], PostState.PENDING, PostState.CANCELLED, event=f"gone-{post_id}"
        )


def names(database: Database, job_id: int, behind: Place) -> tuple[list[str], bool, Place]:
    with database.transaction() as session:
        part = event_feed.read_events(session, job_id, behind)
    last = part.entries[-1].place if part.entries else behind
    return [entry.event for entry in part.entries], part.all_there_is, last


def test_an_event_that_is_committed_late_is_not_missed(database: Database) -> None:
    """The first writer takes the lower id, and commits after the second."""
    job_id, [first, second] = a_job(database, 2)
    with database.transaction() as early:
        transitions.add_events(early, [first], "early")
        with database.transaction() as late:
            transitions.add_events(late, [second], "late")
        shown, complete, place = names(database, job_id, Place())
        assert (shown, complete) == ([], False)  # seen, and held back
    shown, complete, place = names(database, job_id, place)
    assert (shown, complete) == (["early", "late"], True)
    assert names(database, job_id, place)[0] == []


def test_an_id_taken_before_the_transaction_had_a_number_is_not_missed(database: Database) -> None:
    """The lower id then belongs to the later transaction, and is read after the higher one."""
    job_id, [first, second] = a_job(database, 2)
    take = text("SELECT nextval(pg_get_serial_sequence('events', 'id'))")
    with database.transaction() as session:
        session.execute(take)  # which is written down for the next 32, and numbers a transaction
    with database.transaction() as slow:
        number = slow.scalar(take)
        with database.transaction() as quick:
            transitions.add_events(quick, [second], "quick")
        shown, _, place = names(database, job_id, Place())
        assert shown == ["quick"]
        assert place.id > number
        slow.execute(
            text(
                "INSERT INTO events (id, post_id, job_id, event) OVERRIDING SYSTEM VALUE"
                " VALUES (:id, :post, :job, 'slow')"
            ),
            {"id": number, "post": first, "job": job_id},
        )
    assert names(database, job_id, place)[0] == ["slow"]


def test_a_reader_goes_on_after_a_restore_into_another_server(database: Database) -> None:
    job_id, [post_id] = a_job(database, 1)
    with database.transaction() as session:
        session.add(Event(post_id=post_id, job_id=job_id, event="before", tx=10**15))
    with database.transaction() as session:
        told = session.query(Event).one().id
        event_feed.mark_restored_events(session)
    with database.transaction() as session:
        transitions.add_events(session, [post_id], "after")
        behind = event_feed.place_of(session, job_id, f"{10**15}-{told}")
    assert behind is not None
    assert names(database, job_id, behind)[0] == ["after"]


class Stream:
    """What a client of server-sent events reads."""

    def __init__(
        self, server: Server, job_id: int, last: str | None = None, *, key: str = ADMIN_KEY
    ) -> None:
        headers = {"Authorization": f"Bearer {key}", **({"Last-Event-ID": last} if last else {})}
        url = f"{server.url}/jobs/{job_id}/events"
        self.reply = requests.get(url, headers=headers, stream=True, timeout=PATIENCE)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        found: dict[str, Any] = {}
        for line in self.reply.iter_lines(chunk_size=1, decode_unicode=True):
            name, _, value = line.partition(": ")
            if line and name:
                found[name] = json.loads(value) if name == "data" else value
            elif "event" in found:
                yield found
                found = {}

    def close(self) -> None:
        self.reply.close()


def test_a_client_that_is_cut_off_goes_on_without_loss_or_repetition(
    server: Server, database: Database
) -> None:
    job_id, ids = a_job(database, 60)

    def happen() -> None:
        for post_id in ids:
            cancel(database, post_id)
            time.sleep(0.02)

    writer = threading.Thread(target=happen)
    writer.start()
    seen: list[dict[str, Any]] = []
    last: str | None = None
    done: dict[str, Any] | None = None
    while done is None:
        stream = opened_stream(server, job_id, last)
        assert stream.reply.headers["X-Accel-Buffering"] == "no"
        for number, event in enumerate(stream):
            if event["event"] == "done":
                done = event
                break
            seen.append(event)
            last = event["id"]
            if number == 6:
                break  # cut off, in the middle
        stream.close()
    writer.join()
    assert [event["data"]["event"] for event in seen] == [f"gone-{each}" for each in ids]
    places = [tuple(map(int, event["id"].split("-"))) for event in seen]
    assert places == sorted(set(places))
    assert done["data"]["state"] == "cancelled"


def test_who_is_cut_off_again_and_again_is_let_in_again_soon(
    server: Server, database: Database
) -> None:
    """Nothing happens meanwhile, so no event that is written meets the end of the connection."""
    job_id, _ = a_job(database, 1)
    began_at = time.monotonic()
    for _ in range(5 * STREAMS):
        wait_until(lambda: is_let_in(server, job_id))
    assert time.monotonic() - began_at < 3 * HEARTBEAT, "as many as fit are noticed at each of them"


def opened_stream(server: Server, job_id: int, last: str | None) -> Stream:
    """As a client opens it: again while its streams that were cut off still count as its own."""
    opened: list[Stream] = []

    def is_open() -> bool:
        stream = Stream(server, job_id, last)
        if stream.reply.status_code == 200:
            opened.append(stream)
        else:
            assert stream.reply.status_code in {429, 503}, stream.reply.text
            stream.close()
        return bool(opened)

    wait_until(is_open)
    return opened[0]


def is_let_in(server: Server, job_id: int) -> bool:
    stream = Stream(server, job_id)
    stream.close()
    return stream.reply.status_code == 200


def test_streams_leave_threads_for_everybody_else(server: Server, database: Database) -> None:
    """Over the bound of both processes: 503 with Retry-After; closed ones give their place back."""
    job_id, _ = a_job(database, 1)
    streams: list[Stream] = []
    refused = None
    while refused is None and len(streams) <= 2 * STREAMS:
        made = server.post("/keys", json={"name": "k", "scopes": ["read"]}).json()
        stream = Stream(server, job_id, key=made["key"])
        if stream.reply.status_code == 200:
            streams.append(stream)
        else:
            refused = stream.reply
    assert refused is not None
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert len(streams) >= STREAMS
    assert server.get("/jobs").status_code == 200
    for stream in streams:
        stream.close()


def test_what_nobody_was_told_is_no_place_to_go_on(server: Server, database: Database) -> None:
    job_id, _ = a_job(database, 1)
    for last in ("x", "1", "1-", "-1", "9" * 30 + "-1"):
        assert Stream(server, job_id, last).reply.status_code == 400
    assert Stream(server, 999).reply.status_code == 404


def slow_upload(server: Server) -> socket.socket:
    """Sends the beginning of a file, and then nothing."""
    lines = [f"{name}: {value}" for name, value in HEADERS.items()]
    head = [
        "POST /api/v1/postiz/upload HTTP/1.1",
        "Host: a",
        *lines,
        "Content-Length: 9000000",
        "Content-Type: multipart/form-data; boundary=b",
    ]
    part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    sender = socket.create_connection(("127.0.0.1", server.port))
    sender.sendall("\r\n".join([*head, "", part]).encode() + b"\x89PNG\r\n\x1a\n")
    return sender


def test_slow_uploads_leave_threads_for_everybody_else(server: Server) -> None:
    with ExitStack() as open_ones:
        senders = [open_ones.enter_context(slow_upload(server)) for _ in range(40)]
        answered: set[socket.socket] = set()

        def refused() -> int:
            answered.update(select.select(senders, [], [], 0)[0])
            return len(answered)

        wait_until(lambda: refused() >= 40 - 2 * UPLOADS)
        for sender in answered:
            reply = sender.recv(10_000)
            assert reply.startswith(b"HTTP/1.1 429 ")  # of one key: for others there is a slot
            assert b"Retry-After: 5" in reply
        root = server.url.removesuffix("/api/v1")
        for _ in range(10):
            assert requests.get(f"{root}/health/live", timeout=120).ok
            assert server.get("/jobs").ok
        assert len(answered) < 40
    upload = {"file": ("a.png", FILES.png())}
    wait_until(lambda: server.post("/postiz/upload", files=upload).status_code == 202)
