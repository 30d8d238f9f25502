"""Secrets in answers: shown once, and not again where a repeated request gets the same answer."""

from typing import Annotated

from pydantic import BaseModel, Field

_ONCE = object()
#: The type of a field that holds a secret: null in a repeated answer.
ShownOnce = Annotated[
    str | None, _ONCE, Field(description="Shown this once; null in a repeated answer")
]


def without_secrets(body: BaseModel) -> BaseModel:
    """The answer as it is kept, for a repeated request."""
    fields = type(body).model_fields.items()
    return body.model_copy(update={name: None for name, field in fields if _ONCE in field.metadata})
