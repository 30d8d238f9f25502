"""Media that were only an address when posts were accepted: what they are is checked once known."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.domain.publishing.states import PostState
from shared.intake import job_creation
from shared.media import repository
from shared.models import Account
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.workers.world import World

X = {"who_can_reply_post": "everyone"}


class _Source(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = FILES.mp4() if self.path.endswith(".mp4") else FILES.png(7)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def source() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def address(world: World, url: str) -> int:
    """A medium that is still to be fetched, and asked for."""
    account_id = world.account().id
    with world.database.transaction() as session:
        medium = repository.add_url(session, "acme", url)
        account = session.get_one(Account, account_id)
        wanted = [job_creation.Upload(media_id=medium.id)]
        job_creation.accept_uploads(session, "acme", account, wanted, kind="upload")
        return medium.id


def test_a_post_whose_medium_turns_out_to_be_of_the_wrong_kind_fails_before_it_is_handed_over(
    world: World, source: str
) -> None:
    make_profile(world, key=KEY)
    cover = make_medium(world, "acme", FILES.png())
    film, picture = (address(world, f"{source}/a.{ending}") for ending in ("mp4", "png"))

    def post(content: str, *media_ids: int) -> list[int]:
        return make_posts(
            world,
            "acme",
            [content],
            integration="int-x",
            identifier="x",
            settings=X,
            media_ids=media_ids,
        )

    both, alone, pictures = post("both", film, cover), post("film", film), post("p", picture, cover)
    world.until_all(PostState.PUBLISHED, alone + pictures)
    world.until_all(PostState.FAILED, both)
    told = world.post(both[0])
    assert told.error_code == "not_publishable"
    assert "a video must be the only medium" in (told.error_message or "")
    assert "media_ids" in (told.error_hint or "")
    assert "staging" not in world.timeline(both[0])
