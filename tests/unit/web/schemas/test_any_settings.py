"""Whatever settings say, they are taken or refused, and what is refused is not repeated."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from shared.config import Settings, read_settings
from web.schemas.profiles import NewProfile, PatchProfile, ValidateCredentials

TEXTS = st.text(max_size=60) | st.sampled_from(
    ["", "0", "-1", "1e999", "nan", "true", "http://", "https://u:p@h:99999/", "a,b", "[::1]:80"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted(field.alias for field in Settings.model_fields.values() if field.alias)
POSTIZ = st.fixed_dictionaries({}, optional={"api_url": VALUES, "api_key": VALUES})
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "name": VALUES,
        "tts_settings": VALUES | st.fixed_dictionaries({"postiz": POSTIZ | VALUES}),
        "quotas": VALUES,
        "environment_allowed": VALUES,
        "api_url": VALUES,
        "api_key": VALUES,
    },
)


@given(environ=st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=6))
def test_any_environment_is_read_or_refused(environ: dict[str, str]) -> None:
    try:
        read_settings(environ)
    except ValidationError as error:
        assert not any(value in str(error) for value in environ.values() if len(value) > 20)


@pytest.mark.parametrize("shape", [NewProfile, PatchProfile, ValidateCredentials])
@given(body=BODIES)
def test_any_body_of_a_profile_is_taken_or_refused(
    shape: type[BaseModel], body: dict[str, Any]
) -> None:
    try:
        shape.model_validate(body)
    except ValidationError as error:
        assert error.error_count() > 0
