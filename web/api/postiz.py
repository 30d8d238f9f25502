"""What Postiz says: whether it is connected, and its integrations."""

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
from web.api.resource import resource
from web.auth import current_profile
from web.parsing import live_integrations
from web.schemas.accounts import Budget, StatusView
from web.schemas.profiles import IntegrationView
from web.services import services
from web.wire.idempotency import Reply
from web.wire.problems import in_words

#: A request waits no longer for Postiz (seconds).
LIVE_SECONDS = 5.0
STALE = "X-Stale"

api = resource("postiz", "What the profile's Postiz says", write="publish")


class IntegrationList(RootModel[list[IntegrationView]]):
    """Every channel that is connected in the profile's Postiz."""


@api.get("/postiz/status", responses={200: StatusView})
def get_status() -> Response:
    """Whether the profile's Postiz is configured and answers, and the budget of its account"""
    with services().database.transaction() as session:
        profile = profile_settings.get(session, current_profile(session))
        source = profile_settings.source_of(profile, services().settings)
    if source == "none":
        detail = HOW_TO_CONFIGURE.format(id=profile.id)
        nothing = StatusView(
            configured=False, connected=False, source="none", account=None, detail=detail
        )
        return Reply(body=nothing).response()
    trouble = _trouble(profile.id)
    with services().database.transaction() as session:
        budget = _budget(session, profile.id)
    shown = StatusView(
        configured=True,
        connected=trouble is None,
        source=source,
        account=budget,
        detail=trouble,
    )
    return Reply(body=shown).response()


def _trouble(profile_id: str) -> str | None:
    """Why Postiz cannot be used now, in words."""
    try:
        live_integrations.integrations(profile_id, seconds=LIVE_SECONDS)
    except PublisherError as error:
        return in_words(error)
    return None


def _budget(session: Session, profile_id: str) -> Budget:
    account = profile_settings.ensure_account(
        session, profile_settings.get(session, profile_id), services().settings, services().box
    )
    return budget_of(account, db.clock(session))


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
    with services().database.transaction() as session:
        profile_id = current_profile(session)
        account = profile_settings.ensure_account(
            session, profile_settings.get(session, profile_id), services().settings, services().box
        )
    try:
        live_rows = live_integrations.integrations(profile_id, seconds=LIVE_SECONDS)
    except CredentialsRejected:
        raise
    except PublisherError as error:  # settings that cannot be used, too: what is known is shown
        return _last_known(account.id, error)
    return _list([vars(row) for row in live_rows]).response()


def _last_known(account_id: int, why: PublisherError) -> Response:
    with services().database.transaction() as session:
        seen = session.get_one(Account, account_id).integrations_seen_at
        rows = [_plain(row) for row in identity.integrations(session, account_id)]
    if seen is None and isinstance(why, SettingsUnusable):
        raise why
    if seen is None:
        raise Unavailable(f"Postiz gave no list of integrations, now or before: {why.message}")
    reply = _list(rows)
    return Reply(body=reply.body, headers={STALE: "true"}).response()


def _plain(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in IntegrationView.model_fields}


def _list(rows: list[dict[str, object]]) -> Reply:
    return Reply(body=IntegrationList([IntegrationView.model_validate(row) for row in rows]))
