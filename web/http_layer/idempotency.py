"""`Idempotency-Key`: a repeated request gets the same answer, and is not done again."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Response, request
from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shared.errors import (
    Conflict,
    FieldError,
    InvalidRequest,
    SecretUnreadable,
    Unprocessable,
)
from shared.models import IdempotencyKey
from web.audit_trail import note_created
from web.auth import PROFILE_HEADER, current_caller
from web.http_layer.shown_once import without_secrets
from web.services import current_services

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
UNDER_WAY, KEY_REUSED = "still_under_way", "key_reused"
MAX_LENGTH = 255


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer, and what to do after its transaction is committed."""

    body: BaseModel | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    afterwards: Callable[[], object] = lambda: None

    def text(self) -> str:
        return _dump_body(self.body)

    def text_to_keep(self) -> str:
        """As a repeated request gets it: a secret is shown once, and kept nowhere in the clear."""
        return _dump_body(without_secrets(self.body) if self.body is not None else None)

    def response(self) -> Response:
        return _json_response(self.text(), self.status, self.headers)


def _dump_body(body: BaseModel | None) -> str:
    return body.model_dump_json(by_alias=True) if body is not None else ""


def _json_response(body: str, status: int, headers: dict[str, Any]) -> Response:
    return Response(body, status, headers, content_type="application/json")


def answer_once(work: Callable[[Session], Reply], *, content: str | None = None) -> Response:
    """Do `work` in a transaction and answer; or repeat the earlier answer for the same key.

    `content` represents a body that is not JSON. Raises `Unprocessable` for a key that was used
    with another request, and `Conflict` while the first request is still running.
    """
    key = read_key()
    with current_services().database.transaction() as session:
        if key is None:
            reply = work(session)
            note_created(reply.headers.get("Location"))
        else:
            request_hash = hash_request(content)
            earlier = find_earlier_response(session, key, request_hash) or _lock_key(
                session, key, request_hash
            )
            if earlier is not None:
                return earlier
            reply = work(session)
            note_created(reply.headers.get("Location"))
            _store_reply(session, key, request_hash, reply)
    reply.afterwards()
    return reply.response()


def find_answer(content: str | None = None) -> Response | None:
    """The answer that this request got before. For what is looked at before `answer_once`, outside
    of a transaction, and may be found at fault by now. Raises `Unprocessable` as that does."""
    key = read_key()
    if key is None:
        return None
    with current_services().database.reading() as session:
        return find_earlier_response(session, key, hash_request(content))


def read_key() -> str | None:
    key = request.headers.get(HEADER)
    if key is not None and not 0 < len(key) <= MAX_LENGTH:
        fault = FieldError(field=HEADER, message=f"must have 1 to {MAX_LENGTH} characters")
        raise InvalidRequest(f"{HEADER} must have 1 to {MAX_LENGTH} characters", fields=[fault])
    return key


def hash_request(content: str | None = None) -> str:
    body = content if content is not None else json.dumps(request.get_json(), sort_keys=True)
    profile = request.headers.get(PROFILE_HEADER, "")
    parts = [request.method, request.full_path, profile, body]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def find_earlier_response(session: Session, key: str, request_hash: str) -> Response | None:
    row = session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.caller == current_caller().reference, IdempotencyKey.key == key
        )
    )
    if row is None:
        return None
    if row.request_hash != request_hash:
        raise Unprocessable(f"This {HEADER} was used with another request", code=KEY_REUSED)
    headers = {**row.headers, REPLAYED: "true"}
    try:
        body = current_services().box.open(row.body)
    except SecretUnreadable as error:
        message = f"The request was done before, but its answer is unreadable: {error.message}"
        raise Conflict(message, code=error.code) from error
    return _json_response(body, row.status, headers)


def _lock_key(session: Session, key: str, request_hash: str) -> Response | None:
    """Lock the key until the transaction ends; returns an answer that was stored just before."""
    name = f"{current_caller().reference}:{key}"
    query = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 11))")
    if not session.scalar(query, {"name": name}):
        raise Conflict(f"The first request with this {HEADER} is still under way", code=UNDER_WAY)
    return find_earlier_response(session, key, request_hash)


def _store_reply(session: Session, key: str, request_hash: str, reply: Reply) -> None:
    session.add(
        IdempotencyKey(
            caller=current_caller().reference,
            key=key,
            request_hash=request_hash,
            status=reply.status,
            headers=reply.headers,
            body=current_services().box.seal(reply.text_to_keep()),
        )
    )
