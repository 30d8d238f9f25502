"""Writes docs/NETWORKS.md from the rules themselves: `python -m local.networks_page`."""

from collections.abc import Iterator

from shared.domain.networks.default_settings import DEFAULTS
from shared.domain.networks.limits import IMAGE_BYTES, KINDS, LIMITS, VIDEO_BYTES, Confidence, Limit
from shared.domain.networks.network_settings import NETWORKS, PLATFORMS
from shared.domain.networks.thread_support import (
    MAX_DELAY,
    MAX_PARTS,
    THREADS,
    WITHOUT_THREADS,
    Below,
)

_STANDALONE = " and ".join(f"`{name}`" for name in PLATFORMS)
_INTRO = f"""# What each network takes

`python -m local.networks_page` generates this page from the rules in the code. A test keeps it up
to date.

Before a request is accepted, every row is checked by these rules. The answer lists all faults at
once, each with its `row`, its `field`, a `code`, a `message`, and a `remedy` that says what to do.
**Errors are certain**: Postiz itself refuses such a post. **Warnings are guesses** about the
network behind Postiz, and stop nothing. They are listed under `warnings` in the answer and in a
plan (`?dry_run=true`), each once, with the `indexes` of its rows and the `source` of the limit.

If Pressroom does not know the integrations of a Postiz yet, rows are accepted, and checked by the
same rules before they are sent to Postiz. A post that breaks a rule fails then, with the reason. In
the same way, a medium that is only an address is checked after it was downloaded.

## Files

JPEG, PNG, GIF and WebP up to {IMAGE_BYTES // 1024**2} MiB, and MP4 up to
{VIDEO_BYTES // 1024**3} GiB. The bytes decide, not the name. QuickTime, M4V and 3GP are refused at
upload; the answer says how to convert them. Width, height, duration, codec and brand are read at
upload. What cannot be read from a file is `null`, and is not checked.

## Settings that are assumed

`settings` are given by integration id or by network identifier; the id wins. Settings for
`instagram` or `linkedin` are also used for {_STANDALONE}. If a
network requires a setting that was not given, the value below is used. The plan shows it, and the
warning `default_setting_used` names it. Assumed settings make posts public, and switch on nothing
that binds the owner (music, paid partnership, reuse by others). A YouTube title is `youtube_title`,
or else the first line of the caption. Where a post goes (a board, a subreddit, a channel) is never
assumed.

## What you know better

`PATCH /accounts/ID` takes limits that apply to one account, for errors and for warnings. They are
given by network identifier or by integration id; the id wins. `null` instead of a number means no
limit. `null` instead of a network removes what you set for it.

```
{{"rule_overrides": {{"x": {{"characters": 4000}}, "tiktok": {{"posts_per_day": 25}}}}}}
```

A limit that all channels of a network share can be changed only by identifier. The names:

"""
_WARNINGS = {
    "default_setting_used": "a required setting was not given, so a value was assumed; see message",
    "video_too_short, video_too_long, video_too_large": "outside the limits of the network",
    "aspect_ratio": "the video does not have the shape that the network advises",
    "not_a_short": "an upright video is too long for a Short, and becomes a normal video",
    "too_many_posts": "more posts in a period than a channel accepts, earlier ones included",
    "time_is_skipped": "on that day the clock does not show this time: it is put forward",
    "time_comes_twice": "on that day the clock shows this time twice: the first is meant",
    "caption_is_changed": "Postiz reads a caption with `<` as HTML, and changes it",
    "caption_may_be_too_long": "X may count a bare address in the caption as a link",
    "thread_left_out": "the network has neither replies nor comments, so the thread is left out",
    "medium_not_fetched": "a medium is still to be downloaded, so it cannot be checked yet",
    "media_facts_unknown": "the size or length of a video cannot be read, so not all was checked",
    "unknown_network": "no rules of this network are known",
    "unknown_platform": "captions or settings have a name that no integration has: not used",
    "integrations_unknown": "the integrations are not known yet: the check comes later",
    "late_publish, late_skip, late_hold": "posts that cannot go out in time",
    "over_daily_cap, under_min_gap": "rows with times of their own break their bulk's cap or gap",
}


def page() -> str:
    sections = [_INTRO + "\n".join(_names()), *_warnings(), *_threads(), *_networks()]
    return "\n".join(sections) + "\n"


def _names() -> Iterator[str]:
    yield "| name | what it is |\n|---|---|"
    for name, kind in KINDS.items():
        yield f"| `{name}` | {kind.words} |"


def _warnings() -> Iterator[str]:
    yield "\n## The warnings\n\n| code | what it says |\n|---|---|"
    for codes, words in _WARNINGS.items():
        shown = ", ".join(f"`{code}`" for code in codes.split(", "))
        yield f"| {shown} | {words} |"


def _threads() -> Iterator[str]:
    yield f"""
## Threads and first comments

What comes after the first part of a thread, as Postiz's providers publish it (commit `74b01ad`,
read on 2026-11-27). Each part may have as many characters as a post of that network. At most
{MAX_PARTS} parts after the first; at most {MAX_DELAY:,} minutes between two.

| network | a later part is | media of a later part |
|---|---|---|"""
    for identifier, support in THREADS.items():
        most = support.media_most
        media = "as in a post" if most is None else f"at most {most}" if most else "none"
        yield f"| `{identifier}` | {_WHERE[support.below]} | {media} |"
    others = ", ".join(f"`{name}`" for name in sorted(WITHOUT_THREADS))
    yield f"""
These have neither, so a thread is refused (`thread_not_supported`), or left out with
`"thread_policy": "where_supported"`: {others}."""


_WHERE = {
    Below.REPLIES: "a reply to the part before it",
    Below.COMMENTS: "a comment",
}
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
