"""What Postiz answers: whether it is connected, and its integrations."""

from collections.abc import Sequence
from datetime import datetime

from flask import Response
from pydantic import RootModel
from sqlalchemy.orm import Session

from shared import db
from shared.accounts import budget_queries, channel_states
from shared.domain.networks.channel_states import ChannelState
from shared.errors import (
    HOW_TO_CONFIGURE,
    CredentialsRejected,
    NotFound,
    PublisherError,
    SettingsUnusable,
    Unavailable,
)
from shared.models import Account, Integration
from shared.profiles import profile_settings
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_profile
from web.http_layer.idempotency import Reply
from web.http_layer.problems import describe_error
from web.request_parsing import live_integrations
from web.schemas.accounts import Budget, StatusView
from web.schemas.common import IdPath
from web.schemas.profiles import ChannelView, IntegrationView
from web.services import current_services

#: The longest time that a request waits for Postiz (seconds).
LIVE_SECONDS = 5.0
STALE = "X-Stale"

api = create_blueprint("postiz", "What the profile's Postiz says", write="publish")


class IntegrationList(RootModel[list[ChannelView]]):
    """Every channel that is connected in the profile's Postiz, or that posts wait for."""


@api.get("/postiz/status", responses={200: StatusView})
def get_status() -> Response:
    """Whether the profile's Postiz is configured and answers, and the budget of its account"""
    with current_services().database.transaction() as session:
        profile = profile_settings.load_profile(session, current_profile(session))
        source = profile_settings.source_of(profile, current_services().settings)
    if source == "none":
        detail = HOW_TO_CONFIGURE.format(id=profile.id)
        nothing = StatusView(
            configured=False, connected=False, source="none", account=None, detail=detail
        )
        return Reply(body=nothing).response()
    trouble = _connection_trouble(profile.id)
    with current_services().database.transaction() as session:
        budget = _ensure_account_budget(session, profile.id)
    shown = StatusView(
        configured=True,
        connected=trouble is None,
        source=source,
        account=budget,
        detail=trouble,
    )
    return Reply(body=shown).response()


def _connection_trouble(profile_id: str) -> str | None:
    """Why Postiz cannot be used now, in words; None if it can."""
    try:
        live_integrations.update_integrations(profile_id, seconds=LIVE_SECONDS)
    except PublisherError as error:
        return describe_error(error)
    return None


def _ensure_account_budget(session: Session, profile_id: str) -> Budget:
    account = profile_settings.ensure_account(
        session,
        profile_settings.load_profile(session, profile_id),
        current_services().settings,
        current_services().box,
    )
    return budget_of(account, db.read_clock(session))


def budget_of(account: Account, now: datetime) -> Budget:
    return Budget(
        budget_limit=budget_queries.budget_state(account).most,
        budget_remaining=budget_queries.budget_remaining(account, now),
        resets_at=account.window_ends_at,
        blocked_until=account.blocked_until,
        healthy=account.healthy,
    )


@api.get("/postiz/integrations", responses={200: IntegrationList})
def list_integrations() -> Response:
    """The connected channels, live; the last known list, marked X-Stale, when Postiz is away"""
    with current_services().database.transaction() as session:
        profile_id = current_profile(session)
        account = profile_settings.ensure_account(
            session,
            profile_settings.load_profile(session, profile_id),
            current_services().settings,
            current_services().box,
        )
    try:
        live_integrations.update_integrations(profile_id, seconds=LIVE_SECONDS)
    except CredentialsRejected:
        raise
    except PublisherError as error:  # also for unusable settings: show what is known
        return _last_known_response(account.id, error)
    return _known_reply(profile_id, account.id).response()


def _last_known_response(account_id: int, reason: PublisherError) -> Response:
    with current_services().database.transaction() as session:
        seen_at = session.get_one(Account, account_id).integrations_seen_at
        rows = channel_states.read_shown(session, account_id)
    if seen_at is None and isinstance(reason, SettingsUnusable):
        raise reason
    if seen_at is None:
        raise Unavailable(f"Postiz gave no list of integrations, now or before: {reason.message}")
    return Reply(body=_channel_views(rows), headers={STALE: "true"}).response()


def _known_reply(profile_id: str, account_id: int) -> Reply:
    """As it was just saved; the list may have led to another account of the same organization."""
    with current_services().database.transaction() as session:
        own = profile_settings.load_profile(session, profile_id).account_id
        rows = channel_states.read_shown(session, own or account_id)
    return Reply(body=_channel_views(rows))


def _channel_views(rows: Sequence[Integration]) -> IntegrationList:
    return IntegrationList([_channel_view(row) for row in rows])


def _channel_view(row: Integration) -> ChannelView:
    ready = row.state == ChannelState.READY
    return ChannelView(
        **{name: getattr(row, name) for name in IntegrationView.model_fields},
        state=row.state,
        since=None if ready else row.state_since,
        reason=row.state_reason,
    )


@api.post(
    "/postiz/integrations/<id>/resume", responses={200: ChannelView, **problem_responses(404)}
)
def resume_channel(path: IdPath) -> Response:
    """Say that a channel was connected again: the posts that wait for it go on

    Postiz does not tell when that was done, so otherwise one post is tried from time to time.
    """
    with current_services().database.transaction() as session:
        profile = profile_settings.load_profile(session, current_profile(session))
        account_id = profile.account_id or 0
        channel_states.mark_ready(session, account_id, [path.id])
        row = session.get(Integration, (account_id, path.id), populate_existing=True)
        if row is None:
            raise NotFound(f"There is no integration {path.id!r}")
        shown = _channel_view(row)
    current_services().waker.stage(account_id)
    return Reply(body=shown).response()
