"""The call of one post. The session is kept for the life of a thread."""

import threading

import requests

_kept = threading.local()


def make_counted_call(api_url: str, content: str) -> None:
    body = {
        "type": "now",
        "date": "2026-01-01T00:00:00.000Z",
        "shortLink": False,
        "tags": [],
        "posts": [
            {
                "integration": {"id": "int-one"},
                "settings": {},
                "value": [{"content": content, "image": []}],
            }
        ],
    }
    _session().post(f"{api_url}/posts", json=body, timeout=20).raise_for_status()


def _session() -> requests.Session:
    if not hasattr(_kept, "session"):
        _kept.session = requests.Session()
        _kept.session.headers["Authorization"] = "key"
    session: requests.Session = _kept.session
    return session
