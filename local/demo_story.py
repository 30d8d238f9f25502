"""What the demo does: a profile, two videos, one post on its own, and a bulk over many networks."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from local.demo_api import Api
from local.demo_video import make_video
from local.errors import StackError
from local.stack_file import Addresses

_SANDBOX_KEY = "sandbox-demo-key"
#: The sandbox also has channels that are off, and Postiz lists all of them in no stable order.
_CHANNELS = ("int-x", "int-tiktok", "int-instagram-standalone", "int-youtube", "int-linkedin")
_UPLOAD_SECONDS = 300
_PUBLISH_SECONDS = 600
_HOPELESS = ("failed", "cancelled")

#: All else that these networks insist on is assumed (shared/domain/networks/default_settings.py).
_SETTINGS = {"youtube": {"title": "Made by the Pressroom demo"}}


def tell(console: Console, addresses: Addresses, folder: Path) -> None:
    """Returns once every post is published; raises `StackError` when one cannot be."""
    api = Api(addresses.web_url, addresses.admin_key)
    _make_profile(console, api, f"{addresses.sandbox_url}/public/v1")
    integrations = _choose_integrations(console, api)
    media = _upload_videos(console, api, folder)
    jobs = [_publish_one(api, media, integrations), _publish_bulk(api, media, integrations)]
    posts = _wait_until_published(console, api, jobs)
    console.print(_table(posts))
    account = api.get("/postiz/status")["account"]
    left, limit = account["budget_remaining"], account["budget_limit"]
    console.print(f"{len(posts)} posts; {left} of {limit} counted calls are left in this hour.")


def _make_profile(console: Console, api: Api, postiz_url: str) -> None:
    postiz = {"api_url": postiz_url, "api_key": _SANDBOX_KEY}
    profile = api.post("/profiles", {"name": "Demo", "tts_settings": {"postiz": postiz}})
    api.use_profile(profile["id"])
    tried = api.post(f"/profiles/{profile['id']}/validate", {})
    if not tried["ok"]:
        raise StackError(f"the sandbox refused the profile's credentials: {tried['detail']}")
    console.print(f"[bold]Profile[/] {profile['id']} publishes through {tried['base_url']}")


def _choose_integrations(console: Console, api: Api) -> dict[str, str]:
    """A channel of each network: the network's identifier → the channel's id."""
    found = {channel["id"]: channel["identifier"] for channel in api.get("/postiz/integrations")}
    chosen = {found[channel_id]: channel_id for channel_id in _CHANNELS}
    console.print(f"[bold]Integrations[/] {', '.join(chosen)}")
    return chosen


def _upload_videos(console: Console, api: Api, folder: Path) -> list[str]:
    media = []
    for name, hue in (("first", 60), ("second", 190)):
        video = folder / f"{name}.mp4"
        make_video(video, hue=hue)
        accepted = api.upload(video)
        api.wait_for_job(accepted["job"]["id"], seconds=_UPLOAD_SECONDS)
        media.append(accepted["media"]["id"])
        console.print(f"[bold]Uploaded[/] {video.name}, {video.stat().st_size} bytes of H.264")
    return media


def _publish_one(api: Api, media: list[str], integrations: dict[str, str]) -> str:
    body = {
        "media_ids": media[:1],
        "caption": "One video, one network, now.",
        "integration_ids": [integrations["x"]],
        "schedule_date": None,
        "settings": _SETTINGS,
    }
    return str(api.post("/postiz/publish", body)["job"]["id"])


def _publish_bulk(api: Api, media: list[str], integrations: dict[str, str]) -> str:
    """A post for each video on each network, the videos a few seconds apart."""
    start = datetime.now(UTC) + timedelta(seconds=5)
    items = [
        {
            "media_ids": [media_id],
            "caption": f"Video {number} of a bulk.",
            "schedule_date": (start + timedelta(seconds=5 * number)).isoformat(),
        }
        for number, media_id in enumerate(media, start=1)
    ]
    body = {
        "items": items,
        "integration_ids": list(integrations.values()),
        "captions_per_platform": {"x": "The same bulk, in words for X."},
        "settings": _SETTINGS,
    }
    return str(api.post("/postiz/bulk-publish", body)["job"]["id"])


def _wait_until_published(console: Console, api: Api, jobs: list[str]) -> list[dict[str, Any]]:
    deadline = time.monotonic() + _PUBLISH_SECONDS
    told = ""
    while True:
        posts = [post for job in jobs for post in api.get(f"/jobs/{job}/posts")["items"]]
        states = Counter(post["state"] for post in posts)
        if (now := ", ".join(f"{count} {state}" for state, count in states.items())) != told:
            told = now
            console.print(f"[bold]Publishing[/] {now}")
        if posts and set(states) == {"published"}:
            return posts
        _raise_if_hopeless(posts, too_late=time.monotonic() > deadline)
        time.sleep(0.5)


def _raise_if_hopeless(posts: list[dict[str, Any]], *, too_late: bool) -> None:
    for post in posts:
        if post["state"] in _HOPELESS:
            raise StackError(f"a post ended as {post['state']}: {post['error']}")
    if too_late:
        raise StackError(f"not everything was published within {_PUBLISH_SECONDS} s")


def _table(posts: list[dict[str, Any]]) -> Table:
    table = Table("integration", "state")
    table.add_column("Postiz id", overflow="fold")
    table.add_column("release URL", overflow="fold")
    for post in posts:
        name = post["integration"]["name"] or post["integration"]["id"]
        table.add_row(name, post["state"], post["postiz_post_id"], post["release_url"])
    return table
