"""What a move of posts writes besides their state, and what it leaves alone."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from shared import metrics
from shared.domain.publishing.states import PostState
from shared.models import Delivery, Event, Post, Webhook
from shared.posts import transitions
from tests.factories.rows import LONG_AGO, Rows

S = PostState
SAID = {"error_code": "x", "error_message": "why it waits", "error_hint": "wait"}


def counted(name: str, **labels: str) -> float:
    return metrics.COUNTED.get_sample_value(f"pressroom_{name}_total", labels) or 0.0


def test_what_was_said_of_a_state_is_taken_off_in_the_next(rows: Rows) -> None:
    said = {**SAID, "error_at": LONG_AGO, "in_doubt": True, "waits_for": "job 1"}
    moved, left = rows.posts(S.STAGED, 2, updated_at=LONG_AGO, lease_until=LONG_AGO, **said)
    with rows.database.transaction() as session:
        transitions.move_posts(session, [moved], S.STAGED, S.RELEASING, event="releasing")
    after, other = rows.post(moved), rows.post(left)
    assert (after.error_code, after.error_message, after.error_hint) == (None, None, None)
    assert (after.error_at, after.in_doubt, after.waits_for) == (None, False, "")
    assert after.lease_until is None
    assert abs(after.updated_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert (other.state, other.error_code, other.updated_at) == (S.STAGED, "x", LONG_AGO)
    assert rows.timeline(left) == []


def test_a_move_of_none_does_nothing(rows: Rows) -> None:
    with rows.database.transaction() as session:
        transitions.move_posts(session, [], S.STAGED, S.RELEASING, event="releasing", claim=1)


def test_a_line_of_the_timeline_is_of_its_post_and_job_and_is_counted(rows: Rows) -> None:
    first, second = rows.posts(S.STAGED, 2)
    [other] = rows.posts(S.STAGED)
    before = counted("post_events", event="parking")
    with rows.database.transaction() as session:
        transitions.add_events(session, [first, second], "parking", "of the test")
        assert counted("post_events", event="parking") == before  # not before it is committed
    assert counted("post_events", event="parking") == before + 2
    for post in (first, second):
        assert rows.timeline(post) == [("parking", "of the test")]
    assert rows.timeline(other) == []
    with rows.database.transaction() as session:
        of_job = select(Event.post_id).where(Event.job_id == rows.post(first).job_id)
        assert sorted(session.scalars(of_job)) == [first, second]


def test_a_failure_is_counted_by_its_code_and_told_to_webhooks(rows: Rows) -> None:
    posts = rows.posts(S.RELEASING, 2, track_at=LONG_AGO)
    with rows.database.transaction() as session:
        session.add(
            Webhook(
                url="https://receiver.example",
                events=["post.failed"],
                profile_ids=[rows.profile_id],
                secret="sealed",
            )
        )
    before = counted("posts_failed", code="of_the_test")
    with rows.database.transaction() as session:
        transitions.fail_posts(session, posts, S.RELEASING, code="of_the_test", message="No.")
    assert counted("posts_failed", code="of_the_test") == before + 2
    failed = rows.post(posts[0])
    assert (failed.error_hint, failed.track_at) == (None, None)
    assert failed.error_at is not None
    with rows.database.transaction() as session:
        query = select(Delivery).where(Delivery.event == "post.failed")
        told = {row.data["id"]: row.data for row in session.scalars(query)}
    assert set(told) == {str(post) for post in posts}
    assert told[str(posts[0])]["state"] == "failed"
    assert told[str(posts[0])]["error"]["code"] == "of_the_test"


def test_a_new_step_of_an_id_begins_with_no_tries(rows: Rows) -> None:
    [post] = rows.posts(S.RELEASING)
    rows.change_handover(post, tries=7)
    with rows.database.transaction() as session:
        transitions.retire_handovers(session, [post], "of the test")
    row = rows.handover(post)
    assert (row.tries, row.state) == (0, "buried")
    assert row.buried_at is not None
    assert abs(row.buried_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_what_another_transaction_has_locked_is_told_and_the_others_are_ours(rows: Rows) -> None:
    first, second = rows.posts(S.STAGED, 2)
    [elsewhere] = rows.posts(S.STAGED)
    both = Post.id.in_([first, second])
    with rows.database.transaction() as theirs:
        theirs.scalars(select(Post).where(Post.id.in_([first, elsewhere])).with_for_update()).all()
        with rows.database.transaction() as ours:
            assert transitions.locked_by_others(ours, both) == {first}
            with rows.database.transaction() as third:
                assert transitions.locked_by_others(third, both) == {first, second}
    with rows.database.transaction() as session:
        assert transitions.locked_by_others(session, both) == set()
