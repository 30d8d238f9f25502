"""Unreachable: releases that nobody can look at any more are left to a person, after their time."""

from datetime import timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Post, Profile
from shared.posts import handovers
from worker.accounts.eligibility import is_reachable
from worker.publishing import unknown_outcomes

#: Posts that a round gives up at most; the next one goes on.
AT_ONCE = 500


def give_up(session: Session, seconds: float) -> None:
    """Releases that no key can be looked at with any more are left to a person, after their time.

    Their profile publishes with another account now; an unknown release is never taken there. An
    account of which nothing is known yet may turn out to be the same.
    """
    old = func.now() - timedelta(seconds=seconds)
    unknown = exists().where(
        Profile.id == Post.profile_id,
        Account.id == Profile.account_id,
        Account.integrations_seen_at.is_(None),
    )
    ids = session.scalars(
        select(Post.id)
        .where(
            ~unknown,
            Post.state == PostState.RELEASING,
            Post.lease_until < func.now(),
            Post.released_at < old,
            ~is_reachable(),
        )
        .limit(AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    unknown_outcomes.leave_to_person(
        session,
        ids,
        PostState.RELEASING,
        "The profile has another Postiz account now, so its release cannot be looked at.",
    )


def give_up_old(session: Session) -> None:
    """Releases that were tried to be settled all the time, for a day, and could not be.

    Those that nobody has tried lately are looked at first: we were away ourselves, or their key is
    held.
    """
    day_ago, lately = func.now() - timedelta(days=1), func.now() - timedelta(hours=1)
    word = exists().where(handovers.is_alive_of_post(), Handover.word_at >= day_ago)
    old = select(Post.id).where(
        Post.state == PostState.RELEASING,
        Post.released_at < day_ago,
        Post.lease_until.between(lately, func.now()),
        ~word,
    )
    unknown_outcomes.leave_to_person(
        session,
        session.scalars(old.limit(AT_ONCE).with_for_update(key_share=True, skip_locked=True)).all(),
        PostState.RELEASING,
        "For a day Postiz could not say what became of its release.",
        follow=True,
    )
