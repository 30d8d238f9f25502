"""What Postiz says about a network's settings in a body: in its words, and in their order.

See docs/POSTIZ.md, "Required settings per network". Which of them are required, and what Pressroom
assumes where a post has no settings at all, is in shared/domain/networks.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: What is wrong with a value, in words that follow its name; None if nothing is.
Rule = Callable[[Any], str | None]


def _is_given(value: Any) -> str | None:
    return "should not be null or undefined" if value is None else None


def _is_text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def _is_flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be a boolean value"


def _is_filled_list(value: Any) -> str | None:
    filled = isinstance(value, list) and bool(value)
    return None if filled else "must contain at least 1 elements"


def _at_most(length: int) -> Rule:
    def check(value: Any) -> str | None:
        fits = isinstance(value, str) and len(value) <= length
        return None if fits else f"must be shorter than or equal to {length} characters"

    return check


def _at_least(length: int) -> Rule:
    def check(value: Any) -> str | None:
        fits = isinstance(value, str) and len(value) >= length
        return None if fits else f"must be longer than or equal to {length} characters"

    return check


def _one_of(*values: str) -> Rule:
    words = f"must be one of the following values: {', '.join(values)}"
    return lambda value: None if value in values else words


_POST_TYPE = {"post_type": (_one_of("post", "story"),)}
_NAME = (_is_given, _at_least(1), _is_text)
_PRIVACY = _one_of(
    "PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY"
)
_REQUIRED: Mapping[str, Mapping[str, tuple[Rule, ...]]] = {
    "x": {
        "who_can_reply_post": (
            _one_of("everyone", "following", "mentionedUsers", "subscribers", "verified"),
        )
    },
    "instagram": _POST_TYPE,
    "instagram-standalone": _POST_TYPE,
    "tiktok": {
        "privacy_level": (_is_text, _PRIVACY),
        "duet": (_is_flag,),
        "stitch": (_is_flag,),
        "comment": (_is_flag,),
        "autoAddMusic": (_one_of("yes", "no"),),
        "brand_content_toggle": (_is_flag,),
        "brand_organic_toggle": (_is_flag,),
        "content_posting_method": (_is_text, _one_of("DIRECT_POST", "UPLOAD")),
    },
    "youtube": {
        "title": (_is_given, _at_most(100), _at_least(2), _is_text),
        "type": (_is_given, _one_of("public", "private", "unlisted")),
    },
    "pinterest": {"board": _NAME},
    "reddit": {"subreddit": (_is_given, _is_filled_list)},
    "discord": {"channel": _NAME},
}


def find_setting_faults(
    identifier: str | None, settings: Mapping[str, Any], path: str
) -> Iterator[str]:
    for name, rules in _REQUIRED.get(identifier or "", {}).items():
        for rule in rules:
            if words := rule(settings.get(name)):
                yield f"{path}{name} {words}"
