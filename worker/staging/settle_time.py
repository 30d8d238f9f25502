"""Settle time: the quiet time of a server after a creation, and when it is not needed."""

from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from shared.domain.publishing.budget import LONGEST_CALL
from shared.domain.publishing.planner import FEW_ELEMENTS
from shared.models import Submission


def has_few_recent_elements(session: Session, server: str, seconds: float) -> bool:
    """Whether so few posts were created on the server recently that no quiet time is needed."""
    since = func.now() - timedelta(seconds=seconds)
    query = select(func.coalesce(func.sum(Submission.elements), 0)).where(
        Submission.server == server,
        Submission.sent_at > since - LONGEST_CALL,
        or_(Submission.replied_at > since, Submission.sent_at > since),
    )
    return (session.scalar(query) or 0) < FEW_ELEMENTS
