"""What Postiz answers: whether it is connected, and its integrations."""

from datetime import datetime

from flask import Response
from pydantic import RootModel
from sqlalchemy.orm import Session

from shared import db
from shared.accounts import budget_queries, identity
from shared.errors import (
    HOW_TO_CONFIGURE,
    CredentialsRejected,
    PublisherError,
    SettingsUnusable,
    Unavailable,
)
from shared.models import Account
from shared.profiles import profile_settings
from web.api.resource import create_blueprint
from web.auth import current_profile
from web.http_layer.idempotency import Reply
from web.http_layer.problems import describe_error
from web.request_parsing import live_integrations
from web.schemas.accounts import Budget, StatusView
from web.schemas.profiles import IntegrationView
from web.services import current_services

#: The longest time that a request waits for Postiz (seconds).
LIVE_SECONDS = 5.0
STALE = "X-Stale"

api = create_blueprint("postiz", "What the profile's Postiz says", write="publish")


class IntegrationList(RootModel[list[IntegrationView]]):
    """Every channel that is connected in the profile's Postiz."""


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
        live_rows = live_integrations.update_integrations(profile_id, seconds=LIVE_SECONDS)
    except CredentialsRejected:
        raise
    except PublisherError as error:  # also for unusable settings: show what is known
        return _last_known_response(account.id, error)
    return _integrations_reply([vars(row) for row in live_rows]).response()


def _last_known_response(account_id: int, reason: PublisherError) -> Response:
    with current_services().database.transaction() as session:
        seen_at = session.get_one(Account, account_id).integrations_seen_at
        rows = [_integration_fields(row) for row in identity.read_integrations(session, account_id)]
    if seen_at is None and isinstance(reason, SettingsUnusable):
        raise reason
    if seen_at is None:
        raise Unavailable(f"Postiz gave no list of integrations, now or before: {reason.message}")
    reply = _integrations_reply(rows)
    return Reply(body=reply.body, headers={STALE: "true"}).response()


def _integration_fields(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in IntegrationView.model_fields}


def _integrations_reply(rows: list[dict[str, object]]) -> Reply:
    return Reply(body=IntegrationList([IntegrationView.model_validate(row) for row in rows]))
