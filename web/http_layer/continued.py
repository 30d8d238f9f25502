"""Long requests with an `Idempotency-Key`: repeated after a break, they go on where they were.

Unlike what `answer_once` does, their work is in many transactions. So the key is written down
before it, and the answer after it.
"""

from collections.abc import Callable

from flask import Response
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from shared.models import IdempotencyKey
from shared.posts.requested_edits import AlreadyAnswered, EditRequest
from web.auth import current_caller
from web.http_layer import idempotency
from web.http_layer.idempotency import Reply
from web.services import current_services

#: The status of a request that is not answered.
_BEGUN = 0


def answer_continued(work: Callable[[EditRequest | None], Reply]) -> Response:
    """Do `work`, or repeat the answer to an earlier request with the same key.

    Raises `Unprocessable` for a key that was used with another request.
    """
    key = idempotency.read_key()
    if key is None:
        return work(None).response()
    begun = EditRequest(caller=current_caller().reference, key=key)
    earlier = _begin(begun)
    if earlier is not None:
        return earlier
    try:
        reply = work(begun)
    except AlreadyAnswered:
        earlier = _begin(begun)
        if earlier is None:
            raise
        return earlier
    _end(begun, reply)
    return reply.response()


def _begin(begun: EditRequest) -> Response | None:
    request_hash = idempotency.hash_request()
    row = insert(IdempotencyKey).values(
        caller=begun.caller,
        key=begun.key,
        request_hash=request_hash,
        status=_BEGUN,
        headers={},
        body=current_services().box.seal(""),
    )
    database = current_services().database
    with database.statements() as connection:  # which are no change that anybody made
        connection.execute(row.on_conflict_do_nothing())
    with database.transaction() as session:
        earlier = idempotency.find_earlier_response(session, begun.key, request_hash)
    return None if earlier is None or earlier.status_code == _BEGUN else earlier


def _end(begun: EditRequest, reply: Reply) -> None:
    answer = {"status": reply.status, "headers": reply.headers}
    answer["body"] = current_services().box.seal(reply.text_to_keep())
    own = IdempotencyKey.caller == begun.caller, IdempotencyKey.key == begun.key
    with current_services().database.statements() as connection:
        connection.execute(update(IdempotencyKey).where(*own).values(answer))
        connection.execute(begun.forgetting())
