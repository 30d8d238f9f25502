"""A bulk as it was sent: JSON or CSV, with the faults of malformed rows kept apart."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from flask import request
from pydantic import ValidationError

from shared.errors import FieldError, InvalidRequest
from shared.intake.schemas import BulkPublishRequest
from shared.intake.validation import keep_fields
from web.http_layer.problems import field_errors, refuse_invalid
from web.request_parsing import csv_rows
from web.schemas.publishing import BulkQuery

UNKNOWN = "unknown_field"
Faults = Mapping[int, Sequence[FieldError]]


@dataclass(frozen=True, kw_only=True)
class BulkRequest:
    """`malformed`: by the row's index; such a row is empty in `body`.

    `named`: puts faults into the terms of the request's own format. `content`: represents a body
    that is not JSON.
    """

    body: BulkPublishRequest
    malformed: Faults
    named: Callable[[Sequence[FieldError]], Sequence[FieldError]] = keep_fields
    content: str | None = None


def read_bulk(query: BulkQuery) -> BulkRequest:
    """Raises `InvalidRequest`, also for malformed rows unless the query wants them listed."""
    extra_fields = {name: str(value) for name, value in (query.model_extra or {}).items()}
    bulk = (
        _from_csv(extra_fields)
        if request.mimetype == csv_rows.MIMETYPE
        else _from_json(extra_fields)
    )
    if bulk.malformed and not (query.dry_run or query.skip_invalid):
        faults = [fault for row in bulk.malformed.values() for fault in bulk.named(row)]
        names = ", ".join(dict.fromkeys(fault.field for fault in faults[:10]))
        raise InvalidRequest(f"The request is malformed: {names}", fields=faults)
    return bulk


def _from_json(extra_fields: Mapping[str, str]) -> BulkRequest:
    if extra_fields:
        fields = [
            FieldError(field=name, message="unknown field", code=UNKNOWN) for name in extra_fields
        ]
        names = ", ".join(extra_fields)
        raise InvalidRequest(
            f"The query has fields that only a CSV bulk may have there: {names}", fields=fields
        )
    body, malformed = _validate_body(request.get_json(), {})
    return BulkRequest(body=body, malformed=malformed)


def _from_csv(extra_fields: Mapping[str, str]) -> BulkRequest:
    fields = csv_rows.job_fields(extra_fields)
    raw = request.get_data()
    table = csv_rows.read_table(raw)
    try:
        body, malformed = _validate_body({**fields, "items": table.items}, table.faults)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, fields=table.named(error.fields)) from error
    content = sha256(raw).hexdigest()
    return BulkRequest(body=body, malformed=malformed, named=table.named, content=content)


def _validate_body(sent: dict[str, Any], known_faults: Faults) -> tuple[BulkPublishRequest, Faults]:
    """The model, and the faults of single rows; all other faults are raised."""
    try:
        return BulkPublishRequest.model_validate(sent), known_faults
    except ValidationError as error:
        by_row = _faults_by_row(error)
        if by_row is None:
            refuse_invalid(error)
    items = [{} if index in by_row else item for index, item in enumerate(sent["items"])]
    all_faults = {
        index: [*known_faults.get(index, ()), *by_row.get(index, ())]
        for index in {*known_faults, *by_row}
    }
    return BulkPublishRequest.model_validate({**sent, "items": items}), dict(
        sorted(all_faults.items())
    )


def _faults_by_row(error: ValidationError) -> dict[int, list[FieldError]] | None:
    """The faults of each row; None if there are others among them, or unknown names."""
    found: dict[int, list[FieldError]] = defaultdict(list)
    for field in field_errors(error):
        first, index, *_ = [*field.field.split("."), ""]
        if first != "items" or not index.isdigit() or field.code == UNKNOWN:
            return None
        found[int(index)].append(field)
    return found
