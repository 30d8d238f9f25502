"""What came of an attempt is written down under its claim alone."""

import pytest
from sqlalchemy import select

from shared.domain.webhook_retries import Answer
from shared.models import Delivery, Webhook
from tests.workers.world import World
from worker.accounts import leases
from worker.webhooks import delivery_log
from worker.webhooks.delivery_attempt import ClaimedDelivery, FinishedAttempt

ACCEPTED, REFUSED, GONE = Answer(status=200), Answer(status=500), Answer(status=410)


@pytest.fixture
def claimed(world: World) -> ClaimedDelivery:
    """An event that somebody is telling a webhook of."""
    with world.database.transaction() as session:
        hook = Webhook(url="https://a.example", events=["post.failed"], secret="s")
        session.add(hook)
        session.flush()
        event = {"event": "post.failed", "profile_ids": ["acme"], "data": {}, "message_id": "m"}
        claim = leases.new_claim()
        row = Delivery(webhook_id=hook.id, claim=claim, attempts=1, **event)
        session.add(row)
        session.flush()
        return ClaimedDelivery(
            id=row.id,
            claim=claim,
            webhook_id=hook.id,
            attempt=1,
            message_id="m",
            url=hook.url,
            sealed=[],
            body="{}",
        )


def note(world: World, claimed: ClaimedDelivery, answer: Answer) -> Delivery:
    """What is known of the delivery after this answer."""
    with world.database.transaction() as session:
        finished = FinishedAttempt(claimed=claimed, answer=answer, seconds=0.1)
        delivery_log.record_attempts(session, claimed.webhook_id, [finished])
    with world.database.transaction() as session:
        return session.scalars(select(Delivery)).one()


@pytest.mark.parametrize(
    ("answer", "state"), [(ACCEPTED, "delivered"), (REFUSED, "pending"), (GONE, "failed")]
)
def test_an_answer_is_written_down(
    world: World, claimed: ClaimedDelivery, answer: Answer, state: str
) -> None:
    row = note(world, claimed, answer)
    assert (row.state, [entry["status"] for entry in row.tried]) == (state, [answer.status])


@pytest.mark.parametrize("answer", [ACCEPTED, REFUSED, GONE])
def test_an_answer_that_comes_after_another_claim_changes_nothing_of_the_delivery(
    world: World, claimed: ClaimedDelivery, answer: Answer
) -> None:
    """It was asked for again, or taken for lost: it is another's, who says how it ends."""
    with world.database.transaction() as session:
        row = session.get_one(Delivery, claimed.id)
        row.claim = leases.new_claim()
        before = row.next_at
    row = note(world, claimed, answer)
    assert (row.state, row.tried, row.next_at, row.delivered_at) == ("pending", [], before, None)
