"""Writes who changed what: an entry in the first transaction of a request that writes anything.

No endpoint does so itself, and none can be forgotten: `Database.transaction` calls it for each
transaction that wrote. So there is no change without its entry, and no entry without a change.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from sqlalchemy import update
from sqlalchemy.orm import Session

from shared import db
from shared.access.concerned_profiles import KINDS, find_concerned_profiles
from shared.errors import InvalidRequest
from shared.models import ApiKey, ApprovalLink, AuditEntry, User
from web.auth import PROFILE_HEADER, Caller, current_caller
from web.paths import PREFIX
from web.services import Services, current_services

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_TARGET = re.compile(r"/([a-z-]+)/<(?:[a-z]+:)?(?:id|[a-z]+_id)>")
_LOCATION = re.compile(rf"{PREFIX}/([a-z-]+)/([^/]+)")
#: What bodies name, besides profiles.
_NAMED = {"ids": "posts", "job_id": "jobs", "account_id": "accounts"}
_MAX_FIELDS = 100
_MAX_IDS = 10_000
_NAME_LENGTH = 100
_AGENT_LENGTH = 200


@dataclass
class Change:
    """What is known of the change that this request makes."""

    targets: dict[str, str]
    profile_ids: set[str]
    entry_id: int | None = None
    written: dict[str, str] = field(default_factory=dict)


def install(app: Flask, services: Services) -> None:
    services.database.on_write = _record_change
    app.before_request(_begin_change)
    app.after_request(_note_refusal)


def _begin_change() -> None:
    """Before anything is changed: afterwards nobody knows whose a deleted thing was."""
    if request.method in _SAFE or "caller" not in g or request.url_rule is None:
        return
    targets = _path_targets()
    with current_services().database.reading() as session:
        found = [find_concerned_profiles(session, *each) for each in _kinds(targets)]
    named = request.headers.get(PROFILE_HEADER)
    g.change = Change(targets, set().union(*found, {named} if named else ()))


def begin_personal_change(user: User) -> None:
    """What this request of a page writes, `user` does; call it before the commit."""
    g.caller = Caller.of_user(user)
    g.change = Change({"users": str(user.id)}, set(user.profile_ids or ()))


def begin_key_change(row: ApiKey) -> None:
    """What this request of a page writes, the key does; call it before the commit."""
    g.caller = Caller.of_key(row)
    g.change = Change({"keys": str(row.id)}, set(row.profile_ids or ()))


def begin_link_change(link: ApprovalLink) -> None:
    """What this request of a page writes, whoever has `link` does; call it before the commit."""
    g.caller = Caller.of_approval_link(link)
    g.change = Change({"jobs": str(link.job_id)}, {link.profile_id})


def _path_targets() -> dict[str, str]:
    """By the part of the path before each id."""
    assert request.url_rule is not None
    kinds = _TARGET.findall(request.url_rule.rule)
    ids = map(str, (request.view_args or {}).values())
    return {_kind(kind): each[:_NAME_LENGTH] for kind, each in zip(kinds, ids, strict=False)}


def _kind(part: str) -> str:
    return "jobs" if part == "publish" else part


def _kinds(targets: dict[str, str]) -> list[tuple[str, list[str]]]:
    return [(kind, [each]) for kind, each in targets.items() if kind in KINDS]


def note_created(location: str | None) -> None:
    """The thing that the request made; call it before the commit."""
    change: Change | None = g.get("change")
    made = _LOCATION.fullmatch(location or "")
    if change is not None and made is not None:
        change.targets[made[1]] = made[2]
        if made[1] == "profiles":
            change.profile_ids.add(made[2])


def _record_change(session: Session) -> None:
    if not has_request_context() or (change := g.get("change")) is None:
        return
    if change.entry_id is None:
        entry = _make_entry(session, change)
        session.add(entry)
        session.flush()
        db.after_commit(session, lambda: _note_written(change, entry.id))
    elif change.written != change.targets:
        targets = {"targets": dict(change.targets)}
        session.execute(update(AuditEntry).where(_is(change)).values(targets))


def _note_written(change: Change, entry_id: int) -> None:
    change.entry_id, change.written = entry_id, dict(change.targets)


def _is(change: Change) -> Any:
    return AuditEntry.id == change.entry_id


def _make_entry(session: Session, change: Change) -> AuditEntry:
    caller = current_caller()
    body = _read_body()
    return AuditEntry(
        actor_kind=caller.kind,
        actor_id=caller.id,
        actor_name=caller.name,
        method=request.method,
        route=request.url_rule.rule if request.url_rule else "",
        operation=(request.endpoint or "").rpartition(".")[2],
        targets=dict(change.targets),
        fields=_field_names(body),
        profile_ids=_about(caller, change.profile_ids | _named_profiles(session, body)),
        address=request.remote_addr or "",
        user_agent=_shorten(request.user_agent.string, _AGENT_LENGTH),
        request_id=g.request_id,
    )


def _read_body() -> dict[str, Any]:
    """Empty for what is no JSON object, which an endpoint that takes no body ignores."""
    try:
        return dict(request.get_json()) if request.is_json else {}
    except InvalidRequest:
        return {}


def _named_profiles(session: Session, body: dict[str, Any]) -> set[str]:
    """Those that the body names, itself or by their things."""
    found = {*_texts(body.get("profile_ids")), *_texts(body.get("profile_id"))}
    for name, kind in _NAMED.items():
        if ids := _texts(body.get(name)):
            found |= find_concerned_profiles(session, kind, ids)
    return found


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values[:_MAX_IDS] if isinstance(each, str)]


def _about(caller: Caller, found: set[str]) -> list[str] | None:
    """A bound key acts for its own profiles only; None: an operator's change that names none."""
    bound = caller.visible.ids
    if bound is not None:
        return sorted(found & bound or bound)
    return sorted(found) or None


def _field_names(body: dict[str, Any]) -> list[str]:
    """What the request named: of its body, one level deep, and of its query."""
    names: list[str] = []
    for name, value in body.items():
        parts = [f"{name}.{inner}" for inner in value] if isinstance(value, dict) else []
        names += parts or [name]
    found = [_shorten(name, _NAME_LENGTH) for name in [*names, *request.args]]
    return found[:_MAX_FIELDS]


def _shorten(text: str, length: int) -> str:
    """Printable, and no longer than this."""
    return "".join(char if char.isprintable() else "?" for char in text[:length])


def _note_refusal(response: Response) -> Response:
    """A part was done before the request was refused: say so."""
    change: Change | None = g.get("change")
    if change is not None and change.entry_id is not None and response.status_code >= 400:
        g.pop("change")
        refused = update(AuditEntry).where(_is(change)).values(refused=response.status_code)
        with current_services().database.statements() as connection:
            connection.execute(refused)
    return response
