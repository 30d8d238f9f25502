"""The media of a profile: listed, sent back as files, pictured, deleted once nothing needs them."""

import hashlib
import io
import threading
from typing import Any, NoReturn

import av
import pytest
from sqlalchemy import update

from shared.errors import StorageFull
from shared.media import upload_queue
from shared.models import AccountMedia, Media, Post
from shared.storage.filesystem import FolderStorage
from tests.factories.files import FILES
from tests.servers.api import Api, Reply
from tests.servers.browsers import is_anybody_waiting
from tests.timing.patience import PATIENCE, wait_until

DATED = {"schedule_date": "2031-08-01T00:00:00Z"}


def uploaded(api: Api, content: bytes, name: str = "a.png", *, done: bool = True) -> str:
    made = api.upload(content, name=name, profile="acme")
    assert made.status_code == 202, made.text
    if done:  # it is in Postiz
        with api.services.database.transaction() as session:
            session.execute(update(AccountMedia).values(state="uploaded"))
    return str(made.json["media"]["id"])


def listed(api: Api, query: str = "") -> list[str]:
    return [item["id"] for item in api.get(f"/media{query}", profile="acme").json["items"]]


def test_media_are_listed_the_newest_first_and_found_by_name_and_type(api: Api) -> None:
    film = uploaded(api, FILES.mp4(), "Holiday 100%.mp4")
    png, gif = (uploaded(api, FILES.png(seed), f"logo_{seed}.png") for seed in (1, 2))
    assert listed(api) == [gif, png, film]
    assert listed(api, "?type=video") == listed(api, "?q=0%25") == [film]
    assert listed(api, "?type=image") == listed(api, "?q=LOGO_") == [gif, png]
    assert listed(api, "?type=image/gif") == listed(api, "?q=__") == []
    assert listed(api, f"?sha256={hashlib.sha256(FILES.mp4()).hexdigest()}") == [film]
    assert listed(api, f"?sha256={'0' * 64}") == []
    assert listed(api, "?profile=acme&type=video/mp4") == [film]
    first = api.get("/media?limit=2").json
    assert [item["id"] for item in first["items"]] == [gif, png]
    assert listed(api, f"?limit=2&cursor={first['next_cursor']}") == [film]
    shown = first["items"][0]
    assert (shown["name"], shown["mime"]) == ("logo_2.png", "image/png")
    for wrong in ("?q=", "?sha256=0", "?type=x&kind=y", "?cursor=%00"):
        assert api.get(f"/media{wrong}").status_code == 400
    assert api.get("/media?profile=nobody").status_code == 404


def test_a_file_is_sent_back_to_be_saved_and_never_shown(api: Api) -> None:
    content = b"GIF89a<script>alert(1)</script>" + bytes(100)
    medium = uploaded(api, content, 'räd"\\.html')
    whole = api.get(f"/media/{medium}/file")
    assert (whole.status_code, whole.data, whole.mimetype) == (200, content, "image/gif")
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    disposition = whole.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ") and ".html" not in disposition
    assert disposition.endswith(".gif")
    part = api.get(f"/media/{medium}/file", headers={"Range": "bytes=6-13"})
    assert (part.status_code, part.data) == (206, content[6:14])
    assert part.headers["Content-Range"] == f"bytes 6-13/{len(content)}"
    beyond = api.get(f"/media/{medium}/file", headers={"Range": "bytes=9999-"})
    assert (beyond.status_code, beyond.mimetype) == (416, "application/problem+json")
    head = api.call("HEAD", f"/media/{medium}/file")
    assert (head.data, head.content_length) == (b"", len(content))
    for reply in (whole, part, beyond, head):
        reply.close()
    assert api.services.downloads._held.total() == 0


def size_of(picture: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(picture), format="jpeg_pipe") as file:
        return file.streams.video[0].width, file.streams.video[0].height


def test_a_thumbnail_is_a_small_jpeg_made_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    film, broken = uploaded(api, FILES.mp4()), uploaded(api, FILES.mp4()[:200])
    made = api.get(f"/media/{film}/thumbnail")
    assert (made.status_code, made.mimetype) == (200, "image/jpeg")
    assert size_of(made.data) == (64, 96)
    monkeypatch.setattr("shared.media.thumbnails.read_thumbnail", None)
    assert api.get(f"/media/{film}/thumbnail").data == made.data
    monkeypatch.undo()
    refused = api.get(f"/media/{broken}/thumbnail")
    assert (refused.status_code, refused.json["code"]) == (422, "no_thumbnail")
    assert api.call("DELETE", f"/media/{film}").status_code == 204
    assert len(api.files()) == 1, "the broken one; of the film nothing is left"


def test_a_thumbnail_that_cannot_be_kept_is_shown_all_the_same(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = uploaded(api, FILES.mp4())

    def receive(_: object) -> NoReturn:
        raise StorageFull("There is no room left")

    monkeypatch.setattr(FolderStorage, "receive", receive)
    made = api.get(f"/media/{film}/thumbnail")
    assert (made.status_code, made.mimetype) == (200, "image/jpeg")


def published(api: Api, medium: str) -> Reply:
    body = {"caption": "hi", "integration_ids": ["int-mastodon"], "media_ids": [medium], **DATED}
    return api.post("/postiz/publish", body, profile="acme")


def test_a_medium_is_deleted_once_no_open_post_needs_it(api: Api) -> None:
    medium = uploaded(api, FILES.png())
    assert api.get(f"/media/{medium}").json["used_by"] == 0
    for used_by in (1, 2):
        assert published(api, medium).status_code == 202
        assert api.get(f"/media/{medium}").json["used_by"] == used_by
    posts = [post.id for post in api.posts()]
    for post_id in posts:
        refused = api.call("DELETE", f"/media/{medium}")
        assert (refused.status_code, refused.json["code"]) == (409, "media_in_use")
        assert api.post(f"/posts/{post_id}/cancel").status_code == 202
    assert api.get(f"/media/{medium}").json["used_by"] == 0
    assert api.call("DELETE", f"/media/{medium}").status_code == 204
    assert (listed(api), api.files()) == ([], [])
    for call in (f"/media/{medium}", f"/media/{medium}/file", f"/media/{medium}/thumbnail"):
        assert api.get(call).status_code == 404
    assert api.call("DELETE", f"/media/{medium}").status_code == 404
    assert published(api, medium).status_code == 422
    assert uploaded(api, FILES.png()) == medium, "brought again, it is the same"


def needing_schedule(api: Api, medium: str) -> None:
    items = [{"caption": "x", "media_ids": [medium]}]
    bulk = {"items": items, "integration_ids": ["int-mastodon"]}
    body = {"name": "daily", "cron": "0 9 * * *", "profile_id": "acme", "bulk": bulk}
    made = api.post("/schedules", body)
    assert made.status_code == 201, made.text


def needing_edit(api: Api, medium: str) -> None:
    assert published(api, uploaded(api, FILES.png(9))).status_code == 202
    with api.services.database.transaction() as session:
        session.execute(update(Post).values(edit={"media_ids": [int(medium)]}))


def needing_upload(api: Api, medium: str) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(AccountMedia).values(state="pending"))


@pytest.mark.parametrize("need", [needing_schedule, needing_edit, needing_upload])
def test_what_something_else_needs_is_not_deleted(api: Api, need: Any) -> None:
    medium = uploaded(api, FILES.png())
    need(api, medium)
    assert api.call("DELETE", f"/media/{medium}").json["code"] == "media_in_use"
    assert api.download(f"/media/{medium}/file") == FILES.png()


def test_a_file_that_is_not_fetched_yet_is_said_to_be_so(api: Api) -> None:
    with api.services.database.transaction() as session:
        session.add(row := Media(profile_id="acme", source_url="http://a.example/x.png"))
        session.flush()
        medium = str(row.id)
    assert listed(api) == [medium]
    for what in ("file", "thumbnail"):
        assert api.get(f"/media/{medium}/{what}").json["code"] == "not_fetched"


def test_a_post_that_is_being_accepted_keeps_its_medium(api: Api) -> None:
    """The deletion waits for it, and then sees that the medium is needed."""
    medium = uploaded(api, FILES.png())
    assert published(api, medium).status_code == 202
    [post] = api.posts()
    assert api.post(f"/posts/{post.id}/cancel").status_code == 202
    replies: list[Reply] = []
    deletion = threading.Thread(
        target=lambda: replies.append(api.call("DELETE", f"/media/{medium}")), daemon=True
    )
    with api.services.database.transaction() as accepting:
        upload_queue.mark_used(accepting, [int(medium)])
        deletion.start()
        wait_until(lambda: is_anybody_waiting(api), lambda: "it did not wait")
        accepting.execute(update(Post).values(state="pending"))
    deletion.join(PATIENCE)
    assert replies[0].json["code"] == "media_in_use"
    assert api.download(f"/media/{medium}/file") == FILES.png()
