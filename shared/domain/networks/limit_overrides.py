"""Limits that an account sets for itself, instead of those in limits.py.

`{"tiktok": {"posts_per_day": 25}, "int-7": {"characters": 4000}}`: by the network's identifier, or
by an integration's id, which takes precedence. null instead of a number means no limit.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.domain.networks.limits import KINDS, LIMITS, Confidence, Limit, Limits, Source
from shared.errors import FieldError

Overrides = Mapping[str, Mapping[str, float | None]]

#: More than any network counts.
_MOST = 1_000_000_000


def find_faults(overrides: Mapping[str, Any], integration_ids: Collection[str]) -> list[FieldError]:
    """The faults of a request's change of the overrides, by field."""
    found: list[FieldError] = []
    for key, values in overrides.items():
        field = f"rule_overrides.{key}"
        if key not in LIMITS and key not in integration_ids:
            known = ", ".join(LIMITS)
            message = f"is neither an integration of this account nor a known network: {known}"
            found.append(FieldError(field=field, message=message, code="unknown_field"))
        elif values is not None and not isinstance(values, dict):
            message = "must be an object of limits, or null to remove them"
            found.append(FieldError(field=field, message=message, code="invalid_type"))
        else:
            found += _find_limit_faults(field, values or {})
    return found


def _find_limit_faults(field: str, values: Mapping[str, Any]) -> Iterator[FieldError]:
    for name, value in values.items():
        place = f"{field}.{name}"
        if name not in KINDS:
            message = f"unknown limit; known limits are: {', '.join(KINDS)}"
            yield FieldError(field=place, message=message, code="unknown_field")
        elif value is not None and (fault := _describe_fault(name, value)):
            yield FieldError(field=place, message=fault, code="invalid_type")


def _describe_fault(name: str, value: Any) -> str | None:
    """What is wrong with the value of this limit, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number, or null for no limit"
    if not 0 <= value <= _MOST:  # refuses infinity and NaN too
        return f"must be from 0 to {_MOST:,}"
    if KINDS[name].whole and value != int(value):
        return "must be a whole number"
    return None


def merge_change(saved: Overrides, change: Mapping[str, Any]) -> dict[str, Any]:
    """`saved` with a request's change, key by key; null removes a key."""
    overrides = {**saved, **change}
    return {key: values for key, values in overrides.items() if values is not None}


def limits_of(keys: Sequence[str], overrides: Overrides) -> Limits:
    """The limits of a channel; `keys`: the names of the channel, the most specific first."""
    known = next((LIMITS[key] for key in keys if key in LIMITS), {})
    if not overrides:
        return known
    own = {name: value for key in reversed(keys) for name, value in overrides.get(key, {}).items()}
    return {
        **known,
        **{name: _override_limit(known.get(name), value) for name, value in own.items()},
    }


_OURS = Source(name="rule_overrides of the account", checked=None, confidence=Confidence.DOCUMENTED)


def _override_limit(known: Limit | None, value: float | None) -> Limit:
    """The new value keeps the source and the scope of the limit that it replaces."""
    return replace(known, value=value) if known else Limit(value=value, source=_OURS)
