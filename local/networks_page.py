"""Writes docs/NETWORKS.md from the rules themselves: `python -m local.networks_page`."""

from collections.abc import Iterator

from shared.domain.networks.default_settings import DEFAULTS
from shared.domain.networks.limits import IMAGE_BYTES, KINDS, LIMITS, VIDEO_BYTES, Confidence, Limit
from shared.domain.networks.network_settings import NETWORKS, PLATFORMS

_STANDALONE = " and ".join(f"`{name}`" for name in PLATFORMS)
_INTRO = f"""# What each network takes

Written from the rules themselves by `python -m local.networks_page`; a test holds it to them.

Before anything is accepted, every row is checked by these rules, and all its faults are told at
once: each with its `row`, its `field`, a `code`, a `message`, and a `remedy` that says what to do.
**Errors are certainties**: Postiz itself refuses it. **Warnings are guesses** about the network
behind it; they stop nothing, and stand under `warnings` in the answer and in a plan
(`?dry_run=true`), each once, with the `indexes` of its rows and the `source` of the limit.

Where Postiz has not told its integrations yet, rows are accepted and checked by the same rules
before they are handed over; a post that breaks one fails then, and says why. A medium
that was only an address is checked likewise, once it is fetched.

## Files

JPEG, PNG, GIF and WebP up to {IMAGE_BYTES // 1024**2} MiB, and MP4 up to
{VIDEO_BYTES // 1024**3} GiB, by their bytes, whatever their names say; QuickTime, M4V and 3GP are
refused at upload, with a way to convert them. Width, height, duration, codec and brand are read at
upload; what a file hides is `null`, and is not checked.

## Settings that are assumed

`settings` are given by integration id or by identifier, the id wins; what stands under `instagram`
or `linkedin` serves {_STANDALONE} too. Where a network demands a
setting that nobody gave, the value below is used, shown in the plan, and told by the warning
`default_setting_used`. Posts are public, and nothing that binds their owner is switched on. A
YouTube title is `youtube_title`, or else the first line of the caption. Where a post goes is never
assumed.

## What you know better

`PATCH /accounts/ID` takes limits of the account's own, by identifier or by integration id (which
wins), errors and warnings alike; `null` in place of a number is no limit, and `null` in place of a
network drops what you set for it:

```
{{"rule_overrides": {{"x": {{"characters": 4000}}, "tiktok": {{"posts_per_day": 25}}}}}}
```

A limit that all channels of a network share is overridden by identifier only. The names:

"""
_WARNINGS = {
    "default_setting_used": "settings that a network demands were assumed; the message lists them",
    "video_too_short, video_too_long, video_too_large": "a video is beyond what the network takes",
    "aspect_ratio": "a video is of another shape than the network advises",
    "not_a_short": "an upright video is too long for a Short, and becomes a plain video",
    "too_many_posts": "rows beyond what a channel takes in a time, with what was accepted before",
    "caption_is_changed": "Postiz takes a caption that holds `<` for HTML, and changes it",
    "caption_may_be_too_long": "X may count a bare address in the caption as a link",
    "medium_not_fetched": "a medium comes from an address, and is not there yet to be checked",
    "media_facts_unknown": "a video hides its size or length, so not all could be checked",
    "unknown_network": "no rules of this network are known",
    "unknown_platform": "captions or settings under a name that is nobody's: they are not used",
    "integrations_unknown": "Postiz has not told its integrations: the check comes later",
    "late_publish, late_skip, late_hold": "posts that cannot be out in time",
    "over_daily_cap, under_min_gap": "rows with times of their own break their bulk's cap or gap",
}


def page() -> str:
    return "\n".join([_INTRO + "\n".join(_names()), *_warnings(), *_networks()]) + "\n"


def _names() -> Iterator[str]:
    yield "| name | what it is |\n|---|---|"
    for name, kind in KINDS.items():
        yield f"| `{name}` | {kind.words} |"


def _warnings() -> Iterator[str]:
    yield "\n## The warnings\n\n| code | what it says |\n|---|---|"
    for codes, words in _WARNINGS.items():
        shown = ", ".join(f"`{code}`" for code in codes.split(", "))
        yield f"| {shown} | {words} |"


_HEAD = "| limit | value | how sure | source, and when looked at |\n|---|---|---|---|"


def _networks() -> Iterator[str]:
    yield "\n## The networks"
    for identifier in NETWORKS:
        yield f"\n### {identifier}\n\n{_HEAD}"
        for name, limit in LIMITS[identifier].items():
            yield _limit(name, limit)
        yield from _settings(identifier)


def _limit(name: str, limit: Limit) -> str:
    effect = "error" if limit.source.confidence is Confidence.CERTAIN else "warning"
    sure = f"{limit.source.confidence} ({effect})"
    shared = ", all channels together" if limit.shared else ""
    where = f"{limit.source.name}; {limit.source.checked:%Y-%m}"
    return f"| `{name}` | {limit.value:,.10g}{shared} | {sure} | {where} |"


def _settings(identifier: str) -> Iterator[str]:
    network = NETWORKS[identifier]
    if not network.required and not network.optional:
        return
    yield "\n| setting | if it is not given | it |\n|---|---|---|"
    for name, check in network.required.items():
        yield f"| `{name}` | {_assumed(identifier, name)} | {check(None)} |"
    for name, check in network.optional.items():
        yield f"| `{name}` | may be left out | {check(None)} |"


def _assumed(identifier: str, name: str) -> str:
    if name in DEFAULTS.get(identifier, {}):
        value = DEFAULTS[identifier][name]
        return f"`{str(value).lower() if isinstance(value, bool) else value}`"
    return "the caption's first line" if name == "title" else "an error: it must be given"


if __name__ == "__main__":
    print(page(), end="")
