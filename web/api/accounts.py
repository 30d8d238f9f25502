"""Accounts: the Postiz organizations behind the profiles, their budgets and their backlogs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.accounts import budget_queries, identity, server_health
from shared.accounts.budget_queries import AccountRead
from shared.accounts.server_health import ServerHealth
from shared.domain.networks import limit_overrides
from shared.errors import InvalidRequest
from shared.jobs import etas
from shared.models import Account, Integration
from web.api.postiz import budget_of
from web.api.resource import create_blueprint
from web.auth import current_caller, requested_profiles
from web.http_layer.idempotency import Reply
from web.http_layer.pagination import PageQuery, decode_number, next_cursor
from web.schemas.accounts import (
    AccountHoldView,
    AccountView,
    PatchAccount,
    SecondsToPublish,
    ServersView,
    ServerView,
)
from web.schemas.common import IdPath, Page
from web.schemas.profiles import IntegrationView
from web.services import current_services

api = create_blueprint("accounts", "Postiz organizations", write="settings")


def account_view(read: AccountRead, drained: Mapping[int, datetime | None]) -> AccountView:
    account = read.account
    return AccountView(
        **budget_of(account, read.now).model_dump(),
        id=str(account.id),
        base_url=account.base_url,
        profile_ids=list(read.profile_ids),
        integrations=[
            IntegrationView.model_validate(row, from_attributes=True) for row in read.integrations
        ],
        held=next((held_profile.reason for held_profile in read.held), None),
        holds=[
            AccountHoldView.model_validate(held_profile, from_attributes=True)
            for held_profile in read.held
        ],
        paused=account.paused,
        backlog=read.backlog,
        drained_at=drained.get(account.id),
        limit_override=account.limit_override,
        budget_reserve=_effective_reserve(account),
        rule_overrides=account.rule_overrides,
    )


def _effective_reserve(account: Account) -> int | None:
    state = budget_queries.budget_state(account)
    return account.budget_reserve if state.most is None else state.kept


@api.get("/servers", responses={200: ServersView})
def list_servers() -> Response:
    """Whether the Postiz servers of the key's profiles publish what they are given

    Nothing is released on a `stalled` one until something is published there again.
    """
    with current_services().database.transaction() as session:
        found = list(server_health.read_health(session, requested_profiles(session)))
    return Reply(body=ServersView(items=[_server_view(server) for server in found])).response()


def _server_view(health: ServerHealth) -> ServerView:
    seconds = health.seconds and SecondsToPublish(p50=health.seconds[0], p99=health.seconds[1])
    return ServerView(
        base_url=health.base_url,
        profile_ids=list(health.profile_ids),
        verdict=health.verdict,
        since=health.since,
        reason=health.reason,
        overdue=health.overdue,
        last_published_at=health.last_published_at,
        seconds_to_publish=seconds,
    )


@api.get("/accounts", responses={200: Page[AccountView]})
def list_accounts(query: PageQuery) -> Response:
    """List the accounts that the key's profiles use, without any key"""
    with current_services().database.transaction() as session:
        rows = budget_queries.read_profile_accounts(
            session,
            requested_profiles(session),
            after=decode_number(query.cursor),
            limit=query.limit,
        )
        ids = [row.account.id for row in rows]
        drained = etas.drain_times(session, ids, current_services().settings)
    onward = next_cursor(rows, query.limit, lambda row: row.account.id)
    page = Page[AccountView](items=[account_view(row, drained) for row in rows], next_cursor=onward)
    return Reply(body=page).response()


@api.patch("/accounts/<id>", responses={200: AccountView})
def patch_account(path: IdPath, body: PatchAccount) -> Response:
    """Set a limit of one's own on calls, and what is known better of the networks' limits"""
    with current_services().database.transaction() as session:
        account = budget_queries.lock_own_account(session, path.id, current_caller().visible)
        if "budget_limit" in body.model_fields_set:
            identity.limit_calls(account, body.budget_limit)
        if "budget_reserve" in body.model_fields_set:
            account.budget_reserve = body.budget_reserve
        if "rule_overrides" in body.model_fields_set:
            account.rule_overrides = _merge_rule_overrides(session, account, body.rule_overrides)
        session.flush()
        answer = _account_response(session, account)
    current_services().waker.stage(account.id)
    return answer


def _merge_rule_overrides(
    session: Session, account: Account, change: dict[str, Any] | None
) -> dict[str, Any]:
    """Raises `InvalidRequest` with the fields that are no limit, or have a wrong value."""
    if change is None:
        return {}
    of_account = select(Integration.id).where(Integration.account_id == account.id)
    faults = limit_overrides.find_faults(change, set(session.scalars(of_account)))
    if faults:
        names = ", ".join(fault.field for fault in faults[:10])
        raise InvalidRequest(f"Some overrides are wrong: {names}", fields=faults)
    return limit_overrides.merge_change(account.rule_overrides, change)


def _account_response(session: Session, account: Account) -> Response:
    [read] = budget_queries.read_accounts(session, [account], current_caller().visible)
    drained = etas.drain_times(session, [account.id], current_services().settings)
    return Reply(body=account_view(read, drained)).response()


@api.post("/accounts/<id>/pause", responses={200: AccountView})
def pause_account(path: IdPath) -> Response:
    """Send nothing new to this Postiz, whichever profile it is for"""
    return _set_paused(path.id, paused=True)


@api.post("/accounts/<id>/resume", responses={200: AccountView})
def resume_account(path: IdPath) -> Response:
    """Go on after a pause"""
    return _set_paused(path.id, paused=False)


def _set_paused(account_id: str, *, paused: bool) -> Response:
    with current_services().database.transaction() as session:
        account = budget_queries.lock_own_account(session, account_id, current_caller().visible)
        account.paused = paused
        session.flush()
        answer = _account_response(session, account)
    if not paused:
        current_services().waker.stage(account.id)
    return answer
