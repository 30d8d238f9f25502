"""What a workflow of the sandbox decides about the post it reads, and which faults it meets."""

import random
from dataclasses import replace

import pytest

from local.sandbox.database import Database
from local.sandbox.faults import Asked, Fault, FaultBook, Subject, read_fault
from local.sandbox.orgs import Integration
from local.sandbox.posts import DRAFT, ERROR, PUBLISHED, QUEUE, Post
from local.sandbox.steps import Fail, Proceed, Stop, on_read, on_send

POST = Post(
    id="post",
    org="demo",
    integration="int-mastodon",
    group="group",
    parent=None,
    content="hello",
    image=[],
    settings={},
    tags=[],
    date_ms=0,
    state=QUEUE,
    release_url=None,
    error=None,
    interval=None,
    created_at=0.0,
    deleted_at=None,
    delay=0.0,
)
CHANNEL = Integration(id="int-mastodon", org="demo", name="Masto", identifier="mastodon")


@pytest.mark.parametrize(
    ("post", "step"),
    [
        (POST, Proceed()),
        (None, Fail("No Post")),
        (replace(POST, deleted_at=1.0), Fail("No Post")),
        (replace(POST, state=DRAFT), Stop()),
        (replace(POST, state=PUBLISHED), Stop()),
        (replace(POST, state=ERROR), Stop()),
    ],
)
def test_only_a_queued_post_that_is_there_goes_on(
    post: Post | None, step: Proceed | Stop | Fail
) -> None:
    assert on_read(post) == step


def test_healthy_channel_is_sent_to() -> None:
    assert on_send(POST, CHANNEL) == Proceed()


@pytest.mark.parametrize(
    "channel",
    [None, replace(CHANNEL, disabled=True), replace(CHANNEL, refresh_needed=True)],
)
def test_missing_disabled_and_unlinked_channels_fail(channel: Integration | None) -> None:
    assert isinstance(on_send(POST, channel), Fail)


def test_a_first_part_that_is_too_long_fails_the_post() -> None:
    verdict = on_send(replace(POST, content="a" * 501), CHANNEL)
    assert isinstance(verdict, Fail)
    assert verdict.notification is not None


@pytest.fixture
def book() -> FaultBook:
    return FaultBook(Database(":memory:"), random.Random(1))


def test_fault_is_used_up(book: FaultBook) -> None:
    book.add(Fault(kind="slow", times=2))
    met = [book.for_request(Asked(label="GET /posts", org="demo")) is not None for _ in range(3)]
    assert met == [True, True, False]


def test_fault_keeps_to_its_route_and_organization(book: FaultBook) -> None:
    book.add(Fault(kind="slow", route="PUT *", org="demo"))
    assert book.for_request(Asked(label="PUT /posts/:id/status", org="demo"))
    assert book.for_request(Asked(label="POST /posts", org="demo")) is None
    assert book.for_request(Asked(label="PUT /posts/:id/status", org="other")) is None
    assert book.for_publishing(POST) is None


def test_fault_keeps_to_the_posts_that_a_request_is_about(book: FaultBook) -> None:
    book.add(Fault(kind="error_500_before", route="DELETE *", args={"contains": "stuck"}))
    stuck = Subject(id="post", integration="int-mastodon", content="this is stuck")
    asked = Asked(label="DELETE /posts/:id", org="demo", subjects=(stuck,))
    assert book.for_request(asked)
    assert book.for_request(replace(asked, subjects=(replace(stuck, content="fine"),))) is None
    assert book.for_request(replace(asked, subjects=())) is None


def test_fault_inside_of_an_endpoint_keeps_to_its_route_and_type(book: FaultBook) -> None:
    book.add(Fault(kind="refused_by_network", args={"type": "update"}))
    asked = Asked(label="POST /posts", org="demo", type="update")
    assert book.for_request(asked)
    assert book.for_request(replace(asked, type="draft")) is None
    assert book.for_request(replace(asked, label="POST /upload")) is None


def test_fault_of_a_part_keeps_to_its_posts_and_its_number(book: FaultBook) -> None:
    book.add(Fault(kind="part_error", args={"part": 2, "contains": "ell"}))
    assert book.for_publishing(POST) is None
    assert book.for_part(POST, 1) is None
    assert book.for_part(POST, 2)
    assert book.for_part(replace(POST, content="other"), 2) is None


def test_publishing_fault_keeps_to_its_posts(book: FaultBook) -> None:
    book.add(Fault(kind="never_publish", args={"contains": "ell", "integration": "int-mastodon"}))
    assert book.for_publishing(POST)
    assert book.for_publishing(replace(POST, content="other")) is None
    assert book.for_publishing(replace(POST, integration="int-x")) is None


def test_fault_of_some_probability_is_met_sometimes(book: FaultBook) -> None:
    book.add(Fault(kind="slow", probability=0.5))
    met = sum(book.for_request(Asked(label="GET /posts", org=None)) is not None for _ in range(200))
    assert 50 < met < 150


@pytest.mark.parametrize(
    "spec",
    [{"kind": "explode"}, {"kind": "slow", "route": "GET /no"}, {"kind": "slow", "often": 1}],
)
def test_fault_that_makes_no_sense_is_refused(spec: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be one of|must be \*|unknown field"):
        read_fault(spec)
