"""Optional bodies: without a body, every field has its default."""

from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from web.http_layer import problems

Model = TypeVar("Model", bound=BaseModel)


def body_or_defaults(model: type[Model]) -> Model:
    """The request's JSON as `model`, or its defaults without a body."""
    sent = request.get_json() if request.content_length else {}
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        problems.refuse_invalid(error)


def optional_body(model: type[BaseModel]) -> dict[str, Any]:
    """Documents an optional body."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": False, "content": {"application/json": {"schema": schema}}}}
