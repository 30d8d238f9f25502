"""What Postiz or the network is certain to refuse in a post, and what to do about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.domain.networks.limits import Limits
from shared.domain.networks.medium import Medium
from shared.domain.networks.network_settings import NETWORKS, Check, Network
from shared.domain.networks.thread_support import THREADS
from shared.errors import FieldError

#: The limits that are errors; shared/domain/rows/row_warnings.py warns of the others.
ERRORS = frozenset({"characters", "media_least", "media_most"})
_VERIFIED = (
    ' A verified account takes 4,000: set this by PATCH /accounts/ID with "rule_overrides":'
    ' {"<its integration id>": {"characters": 4000}}.'
)


def find_violations(
    identifier: str,
    limits: Limits,
    *,
    content: str,
    settings: Mapping[str, Any],
    media: Sequence[Medium],
) -> list[FieldError]:
    """All violations. Their fields: `caption`, `media_ids`, `settings.NAME`."""
    network = NETWORKS.get(identifier, Network())
    found = list(_find_empty_post(content, media))
    found += _find_long_caption(identifier, limits, network.length(content))
    found += _find_setting_faults(identifier, network, settings)
    found += _find_media_faults(identifier, network, limits, media)
    if identifier == "facebook" and settings.get("post_type") == "story" and not media:
        found.append(_media_fault("a facebook story needs an image or a video", _ADD))
    return found


def find_part_violations(
    identifier: str, limits: Limits, *, content: str, media: Sequence[Medium]
) -> list[FieldError]:
    """All violations of a thread's later part. Their fields: `caption`, `media_ids`."""
    network = NETWORKS.get(identifier, Network())
    found = list(_find_empty_post(content, media))
    found += _find_long_caption(identifier, limits, network.length(content))
    own_most = THREADS[identifier].media_most if identifier in THREADS else None
    most = _limit_value(limits, "media_most") if own_most is None else own_most
    if most is not None and len(media) > most:
        words = f"at most {most:.0f} media" if most else "no media"
        message = f"{identifier} takes {words} in a later part, this has {len(media)}"
        found.append(_media_fault(message, "Put them into the first part, or leave them out."))
    elif wrong := network.media(media):
        found.append(_media_fault(f"{identifier}: {wrong}", _OTHER))
    return found


def _find_empty_post(content: str, media: Sequence[Medium]) -> Iterator[FieldError]:
    if not content.strip() and not media:
        yield FieldError(
            field="caption",
            code="empty_post",
            message="a post needs a caption or a medium",
            remedy="Give it a caption, or name media in media_ids.",
        )


def _limit_value(limits: Limits, name: str) -> float | None:
    return limits[name].value if name in limits else None


def _find_long_caption(identifier: str, limits: Limits, length: int) -> Iterator[FieldError]:
    most = _limit_value(limits, "characters")
    if most is None or length <= most:
        return
    shorter = (
        f"Shorten it by {length - most:,.0f}, or give {identifier} a shorter one in"
        f" captions_per_platform.{identifier}."
    )
    yield FieldError(
        field="caption",
        code="caption_too_long",
        message=f"{identifier} takes {most:,.0f} characters, this has {length:,}",
        remedy=shorter + _VERIFIED if identifier == "x" and most < 4000 else shorter,
    )


def _find_setting_faults(
    identifier: str, network: Network, settings: Mapping[str, Any]
) -> Iterator[FieldError]:
    for name, check in network.required.items():
        if settings.get(name) is None:
            wanted = check(None)
            message = f"{identifier} requires this setting; it {wanted}"
            remedy = f'Give it as "settings": {{"{identifier}": {{"{name}": …}}}}; it {wanted}.'
            yield _setting_fault(name, message, "missing", remedy)
        else:
            yield from _find_value_faults(identifier, name, check, settings[name])
    for name, check in network.optional.items():
        if settings.get(name) is not None:
            yield from _find_value_faults(identifier, name, check, settings[name])


def _find_value_faults(
    identifier: str, name: str, check: Check, value: Any
) -> Iterator[FieldError]:
    if message := check(value):
        yield _setting_fault(
            name, f"for {identifier} this {message}", "invalid", f"Correct it: it {message}."
        )


def _setting_fault(name: str, message: str, kind: str, remedy: str) -> FieldError:
    return FieldError(
        field=f"settings.{name}", message=message, code=f"{kind}_setting", remedy=remedy
    )


_ADD = "Name one in media_ids, or leave this integration out."
_OTHER = "Change media_ids, or leave this integration out of the row."


def _find_media_faults(
    identifier: str, network: Network, limits: Limits, media: Sequence[Medium]
) -> Iterator[FieldError]:
    least, most = _limit_value(limits, "media_least"), _limit_value(limits, "media_most")
    if least is not None and len(media) < least:
        yield _media_fault(f"{identifier} needs at least {least:.0f} image or video", _ADD)
    elif most is not None and len(media) > most:
        message = f"{identifier} takes at most {most:.0f}, this has {len(media)}"
        remedy = f"Remove {len(media) - most:.0f}, or put them into posts of their own."
        yield _media_fault(message, remedy)
    elif wrong := network.media(media):
        yield _media_fault(f"{identifier}: {wrong}", _OTHER)


def _media_fault(message: str, remedy: str) -> FieldError:
    return FieldError(field="media_ids", code="media_refused", message=message, remedy=remedy)
