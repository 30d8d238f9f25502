"""What happens on the way of a post is told as it happens, by the worker's own steps."""

from typing import Any

import pytest
from sqlalchemy import select

from shared.crypto import SecretBox
from shared.domain.publishing.states import PostState
from shared.domain.webhook_retries import EVENTS
from shared.intake import job_creation
from shared.models import Account, Delivery, Job, Webhook
from shared.profiles import deletion
from shared.webhooks import subscriptions
from tests.factories.media import make_medium
from tests.factories.posts import make_posts, make_refused_posts
from tests.factories.profiles import KEY, make_profile
from tests.servers.receiver import Receiver
from tests.workers.world import World
from worker import sweep


def listen(world: World, url: str, *profiles: str) -> str:
    """A webhook for all events, of these profiles or of all; its secret."""
    secret = subscriptions.new_secret()
    with world.database.transaction() as session:
        session.add(
            Webhook(
                url=url,
                events=list(EVENTS),
                profile_ids=list(profiles) or None,
                secret=SecretBox.from_settings(world.settings).seal(secret),
            )
        )
    return secret


def told_of_jobs(receiver: Receiver) -> set[str]:
    """How each job ended by the last that was told of it: what failed after all ends it anew."""
    payloads = [one.payload for one in receiver.heard]
    jobs = [one["data"] for one in payloads if one["type"] == "job.completed"]
    return {job["state"] for job in {job["id"]: job for job in jobs}.values()}


def noted(world: World, event: str) -> list[dict[str, Any]]:
    with world.database.transaction() as session:
        query = select(Delivery.data).where(Delivery.event == event).order_by(Delivery.id)
        return list(session.scalars(query))


def test_a_post_is_told_from_its_schedule_to_its_end(world: World, receiver: Receiver) -> None:
    secret = listen(world, receiver.url)
    make_profile(world, key=KEY)
    good = make_posts(world, "acme", ["hello"])
    bad = make_refused_posts(world, ["tired"])
    world.until_all(PostState.PUBLISHED, good)
    world.until_all(PostState.FAILED, bad)
    world.until(lambda: told_of_jobs(receiver) == {"completed", "failed"})
    told = [one.verified(secret) for one in receiver.heard]
    posts = {
        (one["type"], one["data"]["content"]) for one in told if one["type"].startswith("post")
    }
    assert posts == {
        ("post.scheduled", "hello"),
        ("post.scheduled", "tired"),
        ("post.published", "hello"),
        ("post.failed", "tired"),
    }
    [published] = [one["data"] for one in told if one["type"] == "post.published"]
    assert published["release_url"] == world.post(good[0]).release_url
    assert published["release_url"]
    [failed] = [one["data"] for one in told if one["type"] == "post.failed"]
    assert failed["error"]["code"] == "failed_in_postiz"
    jobs = [one["data"] for one in told if one["type"] == "job.completed"]
    assert {job["total"] for job in jobs} == {1}
    for one in receiver.heard:
        assert KEY not in one.body


def test_an_upload_that_is_there_already_is_a_finished_job_at_once(world: World) -> None:
    listen(world, "http://127.0.0.1:1/")
    make_profile(world, key=KEY)
    medium = make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes(2000))
    world.until(lambda: len(noted(world, "job.completed")) == 1)
    with world.database.transaction() as session:
        account = session.get_one(Account, world.account().id)
        wanted = [job_creation.Upload(media_id=medium)]
        job, _ = job_creation.accept_uploads(session, "acme", account, wanted, kind="upload")
    sweep.run_sweep(world.runtime)
    last = noted(world, "job.completed")[1:]
    assert [(one["id"], one["state"]) for one in last] == [(str(job.id), "completed")]


def test_a_job_that_is_reopened_before_its_row_is_locked_has_not_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(world, "http://127.0.0.1:1/")
    make_profile(world, key=KEY)
    make_posts(world, "acme", ["retried"], in_seconds=3600)
    monkeypatch.setattr(sweep, "ended_jobs_query", lambda: select(Job))  # as it looked before that
    sweep.run_sweep(world.runtime)
    assert noted(world, "job.completed") == []
    with world.database.transaction() as session:
        [job] = session.scalars(select(Job))
        assert job.finished_at is None


def test_a_block_is_told_once_however_often_it_is_met(world: World) -> None:
    listen(world, "http://127.0.0.1:1/")
    make_profile(world, key=KEY)
    world.sandbox.add_fault("spontaneous_429", route="POST /posts", times=1)
    make_posts(world, "acme", ["later"])
    world.until(lambda: world.account().blocked_until is not None)
    [told] = noted(world, "account.blocked")
    assert told["blocked_until"]
    assert (told["profile_ids"], told["error"]["code"]) == (["acme"], "rate_limited")
    for _ in range(3):
        sweep.run_sweep(world.runtime)
        world.work()
    assert len(noted(world, "account.blocked")) == 1


def test_a_refused_key_is_told_once_until_the_settings_change(world: World) -> None:
    """And only of the profiles that use it, to webhooks that may hear of them."""
    listen(world, "http://127.0.0.1:1/", "acme")
    listen(world, "http://127.0.0.1:1/", "beta")
    listen(world, "http://127.0.0.1:1/")
    make_profile(world, "beta", key=KEY)
    make_profile(world, "acme", key=KEY)

    def refused(times: int) -> list[dict[str, Any]]:
        make_posts(world, "acme", ["with a refused key"])
        world.until(lambda: len(noted(world, "credentials.rejected")) == 3 * times)
        return noted(world, "credentials.rejected")[-3:]

    world.sandbox.patch_org("acme", revoke_keys=[KEY])
    told = refused(1)
    assert [one["profile_ids"] for one in told] == [["acme"], ["beta"], ["acme", "beta"]]
    assert {one["held"] for one in told} == {"credentials_rejected"}
    make_posts(world, "acme", ["another"])
    for _ in range(3):
        sweep.run_sweep(world.runtime)
        world.work()
    assert len(noted(world, "credentials.rejected")) == 3

    world.sandbox.patch_org("acme", add_keys=["second"])
    make_profile(world, "beta", key="second")
    make_profile(world, "acme", key="second")
    world.sandbox.patch_org("acme", revoke_keys=["second"])
    refused(2)


def test_a_deleted_profile_leaves_nothing_with_webhooks(world: World) -> None:
    listen(world, "http://127.0.0.1:1/", "acme")
    listen(world, "http://127.0.0.1:1/", "acme", "beta")
    listen(world, "http://127.0.0.1:1/")
    make_profile(world, "beta", key=KEY)
    make_profile(world, "acme", key=KEY)
    world.until_all(PostState.PUBLISHED, make_posts(world, "acme", ["gone soon"]))
    with world.database.transaction() as session:
        deletion.begin_removal(session, "acme", force=True)
    storage = world.runtime.storage
    assert deletion.continue_removal(world.database, storage, "acme", until=float("inf"))
    with world.database.transaction() as session:
        left = session.scalars(select(Webhook.profile_ids).order_by(Webhook.id)).all()
        assert left == [["beta"], None]
        assert session.scalars(select(Delivery.id)).all() == []
