"""Deferred validation: checks posts that were accepted while Postiz's integrations were unknown."""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import ColumnElement, Select, func, not_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.accounts import identity
from shared.accounts.channels import channel_of
from shared.accounts.waits import is_of_other_account
from shared.containment import contain_failures
from shared.domain.publishing.planner import CALENDAR_AHEAD
from shared.domain.publishing.states import PostState
from shared.errors import FieldError
from shared.intake import deferred_rules
from shared.media.post_media import uses_any_of
from shared.models import Account, Integration, Post, Profile
from shared.postiz.client import RemoteIntegration
from shared.posts import transitions
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import postiz_call
from worker.accounts.eligibility import eligible_accounts_query, is_rested, may_be_prepared
from worker.runtime import Runtime

BATCH = 400
#: States of posts of which nothing is in Postiz yet.
_UNSENT = (PostState.PENDING, PostState.WAITING_APPROVAL)


def check_waiting_posts(runtime: Runtime, account_id: int) -> None:
    """If posts wait for the account's integrations, read these from Postiz and check the posts."""
    with runtime.database.transaction() as session:
        profile = session.scalar(
            select(Profile)
            .join(Post, Post.profile_id == Profile.id)
            .join(Account, Account.id == Post.account_id)
            .where(*_waiting_conditions(account_id), is_rested(), may_be_prepared())
            .limit(1)
        )
        if profile is None:
            return
        credentials = CredentialRef.from_profile(profile, account_id)
    rows = postiz_call.read_integrations(runtime, credentials)
    if rows is None:
        return
    with runtime.database.transaction() as session:
        _check_account_posts(session, account_id, rows)


def find_due_accounts(session: Session) -> Sequence[int]:
    """Accounts with posts whose channel has to be known before anybody can approve them."""
    return session.scalars(due_accounts_query()).all()


def due_accounts_query() -> Select[int]:
    unknown = Post.state == PostState.WAITING_APPROVAL, Post.integration_identifier.is_(None)
    soon = Post.publish_at <= func.now() + CALENDAR_AHEAD
    return eligible_accounts_query(*unknown, soon, may_be_prepared())


def _waiting_conditions(account_id: int) -> list[ColumnElement[bool]]:
    return [
        Post.account_id == account_id,
        Post.state.in_(_UNSENT),
        Post.integration_identifier.is_(None),
        Post.publish_at <= func.now() + CALENDAR_AHEAD,
        not_(is_of_other_account()),
    ]


def _check_account_posts(
    session: Session, account_id: int, rows: Sequence[RemoteIntegration]
) -> None:
    account = session.get_one(Account, account_id)
    identity.remember_integrations(session, account, rows)
    listed = {row.id: row for row in identity.read_integrations(session, account_id)}
    waiting = session.scalars(
        select(Post)
        .where(*_waiting_conditions(account_id))
        .order_by(Post.publish_at, Post.id)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    for post in waiting:
        find_faults = partial(_find_faults, row=listed.get(post.integration_id))
        _check_post(session, post, find_faults)


def check_posts_with_medium(session: Session, account_id: int, media_id: int) -> None:
    """A medium that was only a URL was fetched: check the posts that use it."""
    waiting = session.scalars(
        select(Post)
        .where(
            Post.account_id == account_id,
            Post.state.in_(_UNSENT),
            Post.integration_identifier.is_not(None),
            uses_any_of([media_id]),
        )
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    for post in waiting:
        _check_post(session, post, deferred_rules.media_faults)


def _check_post(
    session: Session, post: Post, find_faults: Callable[[Session, Post], Sequence[FieldError]]
) -> None:
    """Fail the post if it has faults or cannot be checked; the other posts continue."""
    post_id, state = post.id, PostState(post.state)
    uncontained = (OperationalError,)
    with (
        contain_failures("check_post", but=uncontained, post=post_id) as fate,
        session.begin_nested(),
    ):
        _fail_if_faulty(session, post, find_faults(session, post))
    if fate.failed:
        transitions.fail_posts(
            session,
            [post_id],
            state,
            code="internal_error",
            message="It could not be checked: something went wrong on our side, and is logged.",
            hint="Nothing was sent. Retry it once this is mended.",
        )


def _fail_if_faulty(session: Session, post: Post, faults: Sequence[FieldError]) -> None:
    if faults:
        transitions.fail_posts(
            session,
            [post.id],
            PostState(post.state),
            code="not_publishable",
            message="; ".join(f"{fault.field}: {fault.message}" for fault in faults),
            hint=_compose_hint(faults),
        )


def _compose_hint(faults: Sequence[FieldError]) -> str:
    remedies = dict.fromkeys(fault.remedy for fault in faults if fault.remedy)
    return " ".join([*remedies, "Then publish it again."])


def _find_faults(session: Session, post: Post, row: Integration | None) -> list[FieldError]:
    if row is None:
        message = f"there is no integration {post.integration_id!r} in this profile's Postiz"
        return [_integration_fault(message, "Name one that GET /postiz/integrations lists.")]
    if row.disabled:
        return [
            _integration_fault(f"{row.name!r} is disabled in Postiz", "Connect it again in Postiz.")
        ]
    return deferred_rules.resolve_post(session, post, channel_of(row))


def _integration_fault(message: str, remedy: str) -> FieldError:
    return FieldError(field="integration_ids", message=message, remedy=remedy)
