"""The organizations of a fresh sandbox."""

from typing import Any

_COMPOSE_LIMIT = 30  # API_LIMIT of the compose file that Postiz ships


def _integration(network: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"int-{network}",
        "name": name,
        "identifier": network,
        "profile": f"{network}_demo",
        **more,
    }


DEFAULT: list[dict[str, Any]] = [
    {
        "id": "demo",
        "name": "Demo",
        "limit": _COMPOSE_LIMIT,
        "keys": ["sandbox-demo-key"],
        "integrations": [
            _integration("x", "Demo on X"),
            _integration("tiktok", "Demo on TikTok", customer={"id": "cust-acme", "name": "Acme"}),
            _integration("instagram-standalone", "Demo on Instagram"),
            _integration("youtube", "Demo on YouTube"),
            _integration("linkedin", "Demo on LinkedIn"),
            _integration("mastodon", "Demo on Mastodon"),
            _integration("x", "Demo's old X", id="int-x-disabled", disabled=True),
            _integration("x", "Demo's unlinked X", id="int-x-refresh", refresh_needed=True),
        ],
    },
    {
        "id": "other",
        "name": "Other",
        "limit": _COMPOSE_LIMIT,
        "keys": ["sandbox-other-key"],
        "integrations": [
            _integration("x", "Other on X", id="int-other-x"),
            _integration("mastodon", "Other on Mastodon", id="int-other-mastodon"),
            _integration("tiktok", "Other on TikTok", id="int-other-tiktok"),
        ],
    },
]
