"""A channel's rules as the page for composing has them: what it counts, and what it asks for."""

from typing import Any

from shared.domain.networks.caption_length import weighted_length
from shared.domain.networks.channel import Channel
from shared.domain.networks.default_settings import DEFAULTS
from shared.domain.networks.limit_overrides import Overrides, limits_of
from shared.domain.networks.network_settings import NETWORKS, Network, check_flag
from shared.domain.networks.post_rules import ERRORS
from shared.domain.networks.thread_support import THREADS, takes_threads


def describe_rules(channel: Channel, overrides: Overrides) -> dict[str, Any]:
    """As JSON. `limits`: those that are errors, by name; `weighted`: counted as X counts.

    `threads`: replies or comments, null where nobody knows, or false where there is none.
    """
    identifier = channel.identifier or ""
    network = NETWORKS.get(identifier, Network())
    limits = limits_of(channel.keys, overrides)
    support = THREADS.get(identifier)
    return {
        "limits": {name: limits[name].value for name in sorted(ERRORS) if name in limits},
        "weighted": network.length is weighted_length,
        "threads": support.below if support else None if takes_threads(identifier) else False,
    }


def describe_settings(identifier: str) -> list[dict[str, Any]]:
    """What a network requires: the name, in which words it may be, and what is assumed if nobody
    gives it. `values`: all that it may be, where these are few.
    """
    network, assumed = NETWORKS.get(identifier, Network()), DEFAULTS.get(identifier, {})
    return [
        {
            "name": name,
            "words": check(None),
            "values": _list_values(check(None) or ""),
            "assumed": assumed.get(name),
        }
        for name, check in network.required.items()
    ]


def _list_values(words: str) -> list[str]:
    if words == check_flag(None):
        return ["true", "false"]
    _, found, values = words.partition("must be one of ")
    return values.split(", ") if found else []
