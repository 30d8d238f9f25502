"""Whether a network would take a post: its caption, its settings, its media."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.networks import NETWORKS, Check, Mimes, Network
from shared.errors import FieldError


def violations(
    identifier: str, *, content: str, settings: Mapping[str, Any], mimes: Mimes
) -> list[FieldError]:
    """What the network would refuse. Fields: `caption`, `media_ids`, `settings.NAME`.

    `mimes`: the types of the post's media in order, None for one that is not yet fetched.
    """
    found = list(_empty(content, mimes))
    network = NETWORKS.get(identifier)
    if network is not None:
        found += _too_long(identifier, network, content)
        found += _settings(identifier, network, settings)
        found += _media(identifier, network, mimes)
    if identifier == "facebook" and settings.get("post_type") == "story" and not mimes:
        found.append(_media_error("a facebook story needs an image or a video"))
    return found


def _empty(content: str, mimes: Mimes) -> Iterator[FieldError]:
    if not content.strip() and not mimes:
        yield FieldError(
            field="caption", code="empty_post", message="a post needs a caption or a medium"
        )


def _too_long(identifier: str, network: Network, content: str) -> Iterator[FieldError]:
    length = network.length(content)
    if length > network.characters:
        yield FieldError(
            field="caption",
            code="caption_too_long",
            message=f"{identifier} takes {network.characters} characters, this has {length}",
        )


def _settings(
    identifier: str, network: Network, settings: Mapping[str, Any]
) -> Iterator[FieldError]:
    for name, check in network.required.items():
        if settings.get(name) is None:
            wanted = check(None)
            yield _setting_error(
                name, f"{identifier} requires this setting; it {wanted}", "missing"
            )
        else:
            yield from _wrong(identifier, name, check, settings[name])
    for name, check in network.optional.items():
        if settings.get(name) is not None:
            yield from _wrong(identifier, name, check, settings[name])


def _wrong(identifier: str, name: str, check: Check, value: Any) -> Iterator[FieldError]:
    if message := check(value):
        yield _setting_error(name, f"for {identifier} this {message}", "invalid")


def _setting_error(name: str, message: str, kind: str) -> FieldError:
    return FieldError(field=f"settings.{name}", message=message, code=f"{kind}_setting")


def _media(identifier: str, network: Network, mimes: Mimes) -> Iterator[FieldError]:
    if len(mimes) < network.least:
        yield _media_error(f"{identifier} needs at least {network.least} image or video")
    elif network.most is not None and len(mimes) > network.most:
        yield _media_error(f"{identifier} takes at most {network.most}, this has {len(mimes)}")
    elif message := network.media(mimes):
        yield _media_error(f"{identifier}: {message}")


def _media_error(message: str) -> FieldError:
    return FieldError(field="media_ids", code="media_refused", message=message)
