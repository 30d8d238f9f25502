"""Accounts: the Postiz organizations behind the profiles, their budgets and their backlogs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.accounts import budget_queries
from shared.accounts import identity as known
from shared.accounts.budget_queries import AccountRead
from shared.db import ROW_LOCK
from shared.domain.networks import limit_overrides
from shared.errors import Forbidden, InvalidRequest, NotFound
from shared.jobs import etas
from shared.media.repository import is_id
from shared.models import Account, Integration
from web.api.postiz import budget_of
from web.api.resource import resource
from web.auth import caller, profiles_in_sight
from web.schemas.accounts import AccountHoldView, AccountView, PatchAccount
from web.schemas.common import IdPath, Page
from web.schemas.profiles import IntegrationView
from web.services import services
from web.wire.idempotency import Reply
from web.wire.pagination import PageQuery, next_cursor, number_of

api = resource("accounts", "Postiz organizations", write="settings")


def _view(read: AccountRead, drained: Mapping[int, datetime | None]) -> AccountView:
    account = read.account
    return AccountView(
        **budget_of(account, read.now).model_dump(),
        id=str(account.id),
        base_url=account.base_url,
        profile_ids=list(read.profile_ids),
        integrations=[
            IntegrationView.model_validate(row, from_attributes=True) for row in read.integrations
        ],
        held=next((one.reason for one in read.held), None),
        holds=[AccountHoldView.model_validate(one, from_attributes=True) for one in read.held],
        paused=account.paused,
        backlog=read.backlog,
        drained_at=drained.get(account.id),
        limit_override=account.limit_override,
        budget_reserve=_reserve(account),
        rule_overrides=account.rule_overrides,
    )


def _reserve(account: Account) -> int | None:
    state = budget_queries.budget_state(account)
    return account.budget_reserve if state.most is None else state.kept


@api.get("/accounts", responses={200: Page[AccountView]})
def list_accounts(query: PageQuery) -> Response:
    """List the accounts that the key's profiles use, without any key"""
    with services().database.transaction() as session:
        rows = budget_queries.of_profiles(
            session, profiles_in_sight(session), after=number_of(query.cursor), limit=query.limit
        )
        ids = [row.account.id for row in rows]
        drained = etas.drained(session, ids, services().settings)
    onward = next_cursor(rows, query.limit, lambda row: row.account.id)
    page = Page[AccountView](items=[_view(row, drained) for row in rows], next_cursor=onward)
    return Reply(body=page).response()


@api.patch("/accounts/<id>", responses={200: AccountView})
def patch_account(path: IdPath, body: PatchAccount) -> Response:
    """Set a limit of one's own on calls, and what is known better of the networks' limits"""
    with services().database.transaction() as session:
        account = changeable(session, path.id)
        if "budget_limit" in body.model_fields_set:
            known.limit_calls(account, body.budget_limit)
        if "budget_reserve" in body.model_fields_set:
            account.budget_reserve = body.budget_reserve
        if "rule_overrides" in body.model_fields_set:
            account.rule_overrides = _rules(session, account, body.rule_overrides)
        session.flush()
        answer = _shown(session, account)
    services().waker.stage(account.id)
    return answer


def _rules(session: Session, account: Account, change: dict[str, Any] | None) -> dict[str, Any]:
    """Raises `InvalidRequest` naming what is no rule, or has no such value."""
    if change is None:
        return {}
    of_account = select(Integration.id).where(Integration.account_id == account.id)
    wrong = limit_overrides.faults(change, set(session.scalars(of_account)))
    if wrong:
        names = ", ".join(fault.field for fault in wrong[:10])
        raise InvalidRequest(f"Some overrides are wrong: {names}", fields=wrong)
    return limit_overrides.merged(account.rule_overrides, change)


def _shown(session: Session, account: Account) -> Response:
    bound = caller().profile_ids
    [read] = budget_queries.read(session, [account], None if bound is None else list(bound))
    drained = etas.drained(session, [account.id], services().settings)
    return Reply(body=_view(read, drained)).response()


@api.post("/accounts/<id>/pause", responses={200: AccountView})
def pause_account(path: IdPath) -> Response:
    """Send nothing new to this Postiz, whichever profile it is for"""
    return _set_paused(path.id, paused=True)


@api.post("/accounts/<id>/resume", responses={200: AccountView})
def resume_account(path: IdPath) -> Response:
    """Go on after a pause"""
    return _set_paused(path.id, paused=False)


def _set_paused(account_id: str, *, paused: bool) -> Response:
    with services().database.transaction() as session:
        account = changeable(session, account_id)
        account.paused = paused
        session.flush()
        answer = _shown(session, account)
    if not paused:
        services().waker.stage(account.id)
    return answer


def changeable(session: Session, account_id: str) -> Account:
    """Raises `NotFound`, and `Forbidden` where profiles that the key may not see use it too."""
    account = None
    if is_id(account_id):
        account = session.get(Account, int(account_id), with_for_update=ROW_LOCK)
    users = budget_queries.users(session, account.id) if account else []
    if account is None or not any(caller().sees(user) for user in users):
        raise NotFound(f"There is no account {account_id!r}")
    if not caller().sees_all(users):
        raise Forbidden("Other profiles use this account too: a key that sees them all may do this")
    return account
