"""What waits for a pause, a medium or a channel is set aside, and comes back when that has come."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, update

from shared.accounts import waits
from shared.accounts.identity import remember_integrations
from shared.domain.publishing.fairness import DueProfile
from shared.domain.publishing.states import PostState
from shared.jobs import progress
from shared.models import Account, AccountMedia, Integration, Job, Media, Profile
from shared.postiz.client import RemoteIntegration
from shared.posts import transitions
from tests.factories.rows import Rows
from tests.workers import releases
from worker.accounts import server_turns
from worker.accounts.set_aside import set_aside_for_media
from worker.runtime import Runtime
from worker.staging import batch_selection

S = PostState


def chosen(rows: Rows) -> list[int]:
    """The posts of the next call, as it would be prepared."""
    with rows.database.transaction() as session:
        account = session.get_one(Account, rows.account_id)
        return [
            one.post.id for one in batch_selection.choose_posts(session, account, {}, Counter())
        ]


def next_to_release(runtime: Runtime, rows: Rows) -> int | None:
    due = [
        turn
        for turn in server_turns.find_releasable(runtime)[0]
        if turn.account_id == rows.account_id
    ]
    return first_of(rows, due[0]) if due else None


def first_of(rows: Rows, due: DueProfile) -> int | None:
    with rows.database.transaction() as session:
        found = releases.lock_first(session, due)
        return found[0].post.id if found else None


def aside(rows: Rows, ids: list[int]) -> set[str]:
    return {rows.post(post_id).waits_for for post_id in ids}


def pause(rows: Rows, post_id: int, *, paused: bool = True) -> int:
    with rows.database.transaction() as session:
        job = session.get_one(Job, rows.post(post_id).job_id)
        progress.set_paused(session, job, paused=paused)
        return job.id


def medium(rows: Rows, state: str = "pending") -> int:
    with rows.database.transaction() as session:
        made = Media(profile_id=rows.profile_id)
        session.add(made)
        session.flush()
        session.add(
            AccountMedia(
                media_id=made.id,
                account_id=rows.account_id,
                profile_id=rows.profile_id,
                state=state,
            )
        )
        return made.id


@pytest.mark.parametrize("state", [S.PENDING, S.STAGED])
def test_a_paused_job_is_set_aside_as_a_whole_until_it_is_resumed(
    runtime: Runtime, rows: Rows, state: PostState
) -> None:
    held = rows.posts(state, 5)
    [behind] = rows.posts(state, release_at=func.now(), publish_at=func.now())
    job_id = pause(rows, held[0])
    if state is S.PENDING:
        assert chosen(rows) == [behind]
    else:
        assert next_to_release(runtime, rows) == behind
    assert aside(rows, held) == {waits.for_job(job_id)}
    assert aside(rows, [behind]) == {""}
    pause(rows, held[0], paused=False)
    assert aside(rows, held) == {""}


def test_a_post_waits_for_each_of_its_media_in_turn(rows: Rows) -> None:
    there, first, second = medium(rows, "uploaded"), medium(rows), medium(rows)
    [post] = rows.posts(S.PENDING, media_ids=[there, second, first])
    for awaited in (first, second):
        assert chosen(rows) == []
        assert aside(rows, [post]) == {waits.for_medium(rows.account_id, awaited)}
        with rows.database.transaction() as session:
            of_medium = AccountMedia.media_id == awaited
            session.execute(update(AccountMedia).where(of_medium).values(state="uploaded"))
            waits.end_wait(session, waits.for_medium(rows.account_id, awaited))
    assert aside(rows, [post]) == {""}


def test_an_upload_that_ends_meanwhile_is_not_missed(rows: Rows) -> None:
    """It was missing when it was looked for; whoever uploads it has not committed yet."""
    missing = medium(rows)
    [post] = rows.posts(S.PENDING, media_ids=[missing])
    with rows.database.transaction() as uploader:
        of_medium = AccountMedia.media_id == missing
        uploader.execute(update(AccountMedia).where(of_medium).values(state="uploaded"))
        waits.end_wait(uploader, waits.for_medium(rows.account_id, missing))
        with rows.database.transaction() as chooser:
            set_aside_for_media(chooser, rows.account_id, {post: missing})
    assert aside(rows, [post]) == {""}


def test_a_channel_of_another_organization_is_said_until_the_account_lists_it(rows: Rows) -> None:
    channel = f"int-of-another-than-{rows.account_id}"
    with rows.database.transaction() as session:
        other = Account(server="https://other.example", key_hash="of another")
        session.add(other)
        session.flush()
        of_other = {"account_id": other.id, "server": other.server, "name": "Other"}
        session.add(Integration(id=channel, identifier="mastodon", **of_other))
    [post] = rows.posts(S.PENDING, integration_id=channel)
    assert chosen(rows) == []
    assert aside(rows, [post]) == {waits.for_channels(rows.account_id)}
    assert rows.post(post).error_code == "other_account"
    listed = RemoteIntegration(
        id=channel, name="Own", identifier="mastodon", picture=None, disabled=False, profile=None
    )
    with rows.database.transaction() as session:
        remember_integrations(session, session.get_one(Account, rows.account_id), [listed])
    assert aside(rows, [post]) == {""}
    assert rows.post(post).error_code is None


def test_what_is_aside_is_looked_at_again_after_an_hour_come_what_may(rows: Rows) -> None:
    missing = medium(rows)
    long_aside, lately = rows.posts(S.PENDING, 2, media_ids=[missing])
    assert chosen(rows) == []
    rows.change_posts([long_aside], aside_until=func.now() - timedelta(seconds=1))
    with rows.database.transaction() as session:
        waits.end_expired_waits(session)
    assert aside(rows, [long_aside]) == {""}
    assert aside(rows, [lately]) == {waits.for_medium(rows.account_id, missing)}


def test_a_post_that_moves_on_waits_for_nothing(rows: Rows) -> None:
    missing = medium(rows)
    [post] = rows.posts(S.PENDING, media_ids=[missing])
    assert chosen(rows) == []
    with rows.database.transaction() as session:
        transitions.move_posts(session, [post], S.PENDING, S.CANCELLED, event="cancelled")
    assert aside(rows, [post]) == {""}


@pytest.mark.parametrize("level", ["profile", "account"])
def test_what_a_profile_or_an_account_holds_back_is_not_even_looked_at(
    runtime: Runtime, rows: Rows, level: str
) -> None:
    staged, pending = rows.posts(S.STAGED), rows.posts(S.PENDING)
    with rows.database.transaction() as session:
        held = update(Profile if level == "profile" else Account)
        own = Profile.id == rows.profile_id if level == "profile" else Account.id == rows.account_id
        session.execute(held.where(own).values(paused=True))
    assert next_to_release(runtime, rows) is None
    assert chosen(rows) == []
    assert aside(rows, staged + pending) == {""}
