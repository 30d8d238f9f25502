"""Posts that were read together are recorded together, or not at all."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import event

from shared.domain.publishing.reconciliation import HandedOver, LookAgain, Park, SettleStep
from shared.domain.publishing.states import PostState
from shared.models import Post
from shared.postiz.client import RemotePost
from tests.factories.rows import Rows
from worker.accounts import remote_posts
from worker.accounts.remote_posts import Seen, Subject
from worker.publishing import usual_outcomes
from worker.runtime import Runtime

S = PostState
ANOTHERS = 7
PAST = datetime.now(UTC) - timedelta(seconds=1)


def read_group(runtime: Runtime, rows: Rows, state: PostState, shown: list[str]) -> list[Seen]:
    """Posts of ours, as Postiz shows them."""
    column = "lease_until" if state is S.RELEASING else "track_at"
    rows.posts(state, len(shown), **{column: PAST})
    due = [Post.state == state]
    subjects = remote_posts.claim_subjects(runtime, rows.account_id, due, lease_column=column)
    return [
        (
            subject,
            RemotePost(
                id=subject.postiz_id,
                state=remote_state,
                publish_at=subject.markers[0],
                content="text",
                integration_id=rows.integration_id,
                release_url=f"https://network.example/{subject.post_id}",
            ),
        )
        for subject, remote_state in zip(subjects, shown, strict=True)
    ]


def step_of(_: Subject, remote: RemotePost | None, __: datetime) -> SettleStep:
    assert remote is not None
    if remote.state == "DRAFT":
        return LookAgain(after=timedelta(hours=1))
    return Park() if remote.state == "ERROR" else HandedOver()


def ids(group: list[Seen]) -> list[int]:
    return [subject.post_id for subject, _ in group]


def states(rows: Rows, group: list[Seen]) -> list[str]:
    return [rows.post(post_id).state for post_id in ids(group)]


def test_those_taken_over_and_those_to_be_read_again_are_recorded(
    runtime: Runtime, rows: Rows
) -> None:
    group = read_group(runtime, rows, S.RELEASING, ["QUEUE", "DRAFT", "ERROR", "PUBLISHED"])
    taken, others = usual_outcomes.record_reconciled(runtime, group, step_of)
    assert ids(taken) == [ids(group)[0], ids(group)[3]]
    assert ids(others) == [ids(group)[2]]
    assert {subject.state for subject, _ in taken} == {S.SCHEDULED}
    assert states(rows, group) == [S.SCHEDULED, S.RELEASING, S.RELEASING, S.SCHEDULED]
    again = rows.post(ids(group)[1]).lease_until
    assert again is not None
    assert again > datetime.now(UTC) + timedelta(minutes=50)


def test_a_post_under_another_claim_is_left_and_the_others_are_recorded_alone(
    runtime: Runtime, rows: Rows
) -> None:
    group = read_group(runtime, rows, S.RELEASING, ["QUEUE", "QUEUE"])
    rows.change_posts(ids(group)[:1], claim=ANOTHERS)
    assert usual_outcomes.record_reconciled(runtime, group, step_of) == ([], group)
    assert states(rows, group) == [S.RELEASING] * 2
    assert rows.timeline(ids(group)[1]) == []


def test_each_published_post_gets_its_own_address(runtime: Runtime, rows: Rows) -> None:
    group = read_group(runtime, rows, S.SCHEDULED, ["PUBLISHED", "QUEUE", "PUBLISHED", "ERROR"])
    others = usual_outcomes.record_tracked(runtime, group)
    assert ids(others) == [ids(group)[3]]
    assert states(rows, group) == [S.PUBLISHED, S.SCHEDULED, S.PUBLISHED, S.SCHEDULED]
    for post_id in (ids(group)[0], ids(group)[2]):
        url = f"https://network.example/{post_id}"
        assert rows.post(post_id).release_url == url
        assert rows.timeline(post_id) == [("published", url)]


def test_a_tracked_post_that_was_cancelled_meanwhile_keeps_none_from_being_recorded(
    runtime: Runtime, rows: Rows
) -> None:
    group = read_group(runtime, rows, S.SCHEDULED, ["PUBLISHED", "PUBLISHED"])
    rows.change_posts(ids(group)[:1], state=S.CANCELLING, claim=ANOTHERS)
    assert usual_outcomes.record_tracked(runtime, group) == group
    assert states(rows, group) == [S.CANCELLING, S.SCHEDULED]


def test_many_posts_cost_as_many_statements_as_few(runtime: Runtime, rows: Rows) -> None:
    counts = []
    for number in (2, 40):
        group = read_group(runtime, rows, S.SCHEDULED, ["PUBLISHED"] * number)
        asked: list[object] = []

        def note(*_: object, asked: list[object] = asked) -> None:
            asked.append(None)

        event.listen(runtime.database.engine, "before_cursor_execute", note)
        assert usual_outcomes.record_tracked(runtime, group) == []
        event.remove(runtime.database.engine, "before_cursor_execute", note)
        counts.append(len(asked))
    assert counts[0] == counts[1]
