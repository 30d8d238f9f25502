"""Warnings about a video on a network: its length, its size, its shape."""

from collections.abc import Callable, Iterator, Mapping

from shared.domain.networks.limits import KINDS, Limit, Limits
from shared.domain.networks.medium import Medium
from shared.domain.networks.warning import WarningText, limit_warning

_MEGABYTE = 1_000_000
#: Allowed difference from the advised shape (a frame of 1080 x 1918 is 9:16 too).
_ASPECT_SLACK = 0.02


def find_video_warnings(medium: Medium, identifier: str, limits: Limits) -> Iterator[WarningText]:
    """All warnings about a medium on a network; none about images."""
    names = [name for name in _CHECKS if name in limits and limits[name].value is not None]
    if not names or (medium.mime is not None and not medium.is_video):
        return
    if medium.mime is None:
        yield _not_fetched_warning(identifier)
        return
    if None in (medium.duration, medium.width, medium.height):
        yield _unknown_facts_warning(identifier)
    for name in names:
        limit = limits[name]
        assert limit.value is not None
        if _CHECKS[name](medium, limit.value):
            yield _breach_warning(identifier, name, limit)


def _too_short(medium: Medium, least: float) -> bool:
    return medium.duration is not None and medium.duration < least


def _too_long(medium: Medium, most: float) -> bool:
    # players and networks disagree about the last frame
    return medium.duration is not None and medium.duration > most + 0.5


def _too_heavy(medium: Medium, most: float) -> bool:
    return medium.size is not None and medium.size > most * _MEGABYTE


def _other_shape(medium: Medium, wanted: float) -> bool:
    if not medium.width or not medium.height:
        return False
    return abs(medium.width / medium.height - wanted) > _ASPECT_SLACK


def _no_short(medium: Medium, most: float) -> bool:
    upright = bool(medium.width and medium.height and medium.height >= medium.width)
    return upright and _too_long(medium, most)


_CHECKS: Mapping[str, Callable[[Medium, float], bool]] = {
    "video_seconds_least": _too_short,
    "video_seconds_most": _too_long,
    "video_megabytes": _too_heavy,
    "video_aspect": _other_shape,
    "short_seconds_most": _no_short,
}
#: For each: the code of the warning, and what to do.
_WORDS: Mapping[str, tuple[str, str]] = {
    "video_seconds_least": ("video_too_short", "Use a longer video, or leave the network out."),
    "video_seconds_most": ("video_too_long", "Cut the video, or leave the network out."),
    "video_megabytes": ("video_too_large", "Encode it at a lower bit rate."),
    "video_aspect": ("aspect_ratio", "Crop it, or pad it, to the advised shape."),
    "short_seconds_most": ("not_a_short", "Cut it if it is meant to be a Short."),
}


def _breach_warning(identifier: str, name: str, limit: Limit) -> WarningText:
    code, remedy = _WORDS[name]
    message = f"{identifier}: {KINDS[name].words}: {limit.value:,.10g}"
    return limit_warning(limit, code=code, message=message, remedy=remedy)


def _not_fetched_warning(identifier: str) -> WarningText:
    return WarningText(
        code="medium_not_fetched",
        message=f"a medium was not fetched from its address yet, so {identifier}'s limits were not"
        " checked",
        remedy="Wait until its upload job is completed, and plan again.",
    )


def _unknown_facts_warning(identifier: str) -> WarningText:
    return WarningText(
        code="media_facts_unknown",
        message=f"the length or the shape of a video is unknown, so {identifier}'s limits were not"
        " all checked",
        remedy="Rewrite the file, for example with ffmpeg -i IN -c copy out.mp4.",
    )
