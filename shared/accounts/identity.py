"""Accounts: one per Postiz organization, identified by its integrations, or else by its key."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.accounts import channel_states, waits
from shared.accounts.merging import merge_accounts
from shared.crypto import hash_secret
from shared.models import Account, Integration
from shared.postiz.client import RemoteIntegration
from shared.postiz.discovery import Probe


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is known about a key's organization; `probe` is set if Postiz was asked."""

    server: str
    key_hash: str
    probe: Probe | None = None

    @property
    def listed(self) -> Sequence[RemoteIntegration] | None:
        return self.probe.integrations if self.probe else None


def key_hash(server: str, api_key: str) -> str:
    return hash_secret(server, api_key)


def find_account(session: Session, found: Found, *, own: Account | None = None) -> Account | None:
    """The account of these credentials, if it is known. Only reads.

    It is found by the ids of its integrations (unique in Postiz), so that a rotated key leads to
    the same account. If no integration is known: `own`, or else the account with the key's hash.
    """
    ids = [row.id for row in found.listed or ()]
    listing = _by_integrations(session, found.server, ids)
    return listing or own or _by_key(session, found.server, found.key_hash)


def unsaved_account(found: Found) -> Account:
    """A new account that is in no session; nothing in the database belongs to account 0."""
    return Account(
        id=0, server=found.server, key_hash=found.key_hash, budget_used=0, rule_overrides={}
    )


def find_or_create_account(session: Session, found: Found) -> Account:
    """The account of these credentials, created if needed, and updated with the probe's result."""
    _lock_server(session, found.server)
    account = find_account(session, found)
    if account is None:
        account = Account(server=found.server, key_hash=found.key_hash)
        session.add(account)
        session.flush()
    account.key_hash = found.key_hash
    if found.probe:
        _apply_probe(session, account, found.probe)
    return account


def _lock_server(session: Session, server: str) -> None:
    """Otherwise two requests with the same new organization would create it twice."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:s, 7))"), {"s": server})


def _by_integrations(session: Session, server: str, ids: Sequence[str]) -> Account | None:
    return session.scalar(
        select(Account)
        .join(Integration, Integration.account_id == Account.id)
        .where(Integration.server == server, Integration.id.in_(ids))
        .limit(1)
    )


def _by_key(session: Session, server: str, hashed: str) -> Account | None:
    query = select(Account).where(Account.server == server, Account.key_hash == hashed)
    return session.scalar(query.order_by(Account.id).limit(1))


def _apply_probe(session: Session, account: Account, probe: Probe) -> None:
    if probe.integrations is not None:  # a refused key does not identify an account
        account.base_url = probe.base_url
    account.healthy = probe.ok
    if probe.ok:
        account.failures, account.retry_at = 0, None
    if probe.integrations is not None:
        remember_integrations(session, account, probe.integrations)


def remember_integrations(
    session: Session, account: Account, rows: Sequence[RemoteIntegration]
) -> None:
    """Save the list; integrations that Postiz no longer lists are kept and marked as not listed.

    If another account has an id of the list, both are the same organization and are merged.
    """
    for other in _find_other_accounts(session, account, [row.id for row in rows]):
        merge_accounts(session, other, account)
    before = channel_states.known_channels(session, account.id)
    session.execute(
        update(Integration).where(Integration.account_id == account.id).values(listed=False)
    )
    _upsert_integrations(session, account, rows)
    account.integrations_seen_at = func.now()
    session.flush()
    waits.end_for_channels(session, account.id, [row.id for row in rows])
    channel_states.record_listing(session, account, before)


def _upsert_integrations(
    session: Session, account: Account, rows: Sequence[RemoteIntegration]
) -> None:
    """All at once, because there may be thousands, and by their ids, so that none deadlock."""
    values = {
        row.id: {
            "id": row.id,
            "account_id": account.id,
            "server": account.server,
            "name": row.name,
            "identifier": row.identifier,
            "picture": row.picture,
            "disabled": row.disabled,
            "profile": row.profile,
            "listed": True,
        }
        for row in sorted(rows, key=lambda row: row.id)
    }
    if not values:
        return
    new = insert(Integration)
    names = [name for name in next(iter(values.values())) if name not in {"server", "id"}]
    changed = {name: new.excluded[name] for name in names}
    statement = new.on_conflict_do_update(index_elements=["server", "id"], set_=changed)
    session.execute(statement, list(values.values()))


def _find_other_accounts(session: Session, account: Account, ids: Sequence[str]) -> Sequence[int]:
    query = select(Integration.account_id).where(
        Integration.server == account.server,
        Integration.id.in_(ids),
        Integration.account_id != account.id,
    )
    return session.scalars(query.distinct()).all()


def read_integrations(session: Session, account_id: int) -> list[Integration]:
    """The last known list, by name."""
    return list(
        session.scalars(
            select(Integration)
            .where(Integration.account_id == account_id, Integration.listed)
            .order_by(Integration.name, Integration.id)
        )
    )


def limit_calls(account: Account, wanted: int | None) -> None:
    """Set the owner's limit of calls in a window, beside that of Postiz; None for no own limit.

    A new value above Postiz's reported limit means that the owner has raised the limit in Postiz.
    Postiz reports its limit only in the reply to a counted call. So the reported limit is cleared,
    and the next call learns the new one. This is the only case in which we may exceed the reported
    limit, and by one call only: an account has one call at a time, and its reply has the limit.
    """
    new, account.limit_override = wanted != account.limit_override, wanted
    told = account.budget_limit
    if new and wanted is not None and told is not None and wanted > told:
        account.budget_limit, account.plan_at = None, None
