"""A secret is in the first answer only, whichever answer it is in."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

import web.schemas
from web.http_layer.shown_once import without_secrets
from web.schemas.common import Body

SECRETS = {"key", "secret", "token", "password"}


def shapes() -> Iterator[type[BaseModel]]:
    """Every shape of the API, of requests too."""
    for module in pkgutil.iter_modules(web.schemas.__path__, "web.schemas."):
        for each in vars(importlib.import_module(module.name)).values():
            if isinstance(each, type) and issubclass(each, BaseModel):
                yield each


def test_attack_10_every_answer_with_a_secret_is_kept_without_it() -> None:
    answers = {each for each in shapes() if not issubclass(each, Body)}
    with_secrets = {each for each in answers if SECRETS & set(each.model_fields)}
    assert {each.__name__ for each in with_secrets} >= {"CreatedKey", "WebhookWithSecret"}
    for each in with_secrets:
        names = SECRETS & set(each.model_fields)
        shown: dict[str, Any] = dict.fromkeys(names, "a secret")
        kept = without_secrets(each.model_construct(None, **shown))
        assert {name: getattr(kept, name) for name in names} == dict.fromkeys(names), each
