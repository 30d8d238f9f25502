"""A Postiz in memory, behind a runtime's own cache of publishers: for steps that make one call."""

from collections.abc import Callable, Sequence
from datetime import datetime

from shared.errors import PressroomError
from shared.net.outbound_route import Route
from shared.postiz.client import Check, Created, Postiz, RemotePost
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element
from shared.profiles.publisher_cache import Publisher, Publishers
from tests.factories.rows import Rows
from worker.runtime import Runtime


class MemoryPostiz(Postiz):
    """Lists what is put into `listed`; each write ends with `error`, if there is one."""

    def __init__(self, base_url: str) -> None:
        super().__init__(
            base_url, "key-of-memory", check=not_saved, route=Route(allow_private=False)
        )
        self.listed: list[RemotePost] = []
        self.error: PressroomError | None = None
        self.read_error: PressroomError | None = None
        self.before_check: Callable[[], None] = lambda: None
        self.written: list[tuple[str, str]] = []  # what reached it: the call and the id

    def window(self, start: datetime, end: datetime) -> list[RemotePost]:
        if self.read_error is not None:
            raise self.read_error
        return [post for post in self.listed if start <= post.publish_at <= end]

    def release(self, postiz_id: str, *, last_check: Check = None) -> int:
        self.before_check()
        if last_check is not None:
            last_check()
        self._write("release", postiz_id)
        return 200

    def delete(self, postiz_id: str) -> None:
        self._write("delete", postiz_id)

    def move(self, date: datetime, elements: Sequence[Element]) -> Created:
        ids = [str(element.postiz_id) for element in elements]
        for postiz_id in ids:
            self._write("move", postiz_id)
        return Created(ids=ids, budget=None, status=201)

    def _write(self, call: str, postiz_id: str) -> None:
        self.written.append((call, postiz_id))
        if self.error is not None:
            raise self.error


def put_behind(runtime: Runtime, rows: Rows) -> MemoryPostiz:
    """All profiles of `runtime` have it from now on, with the account of `rows`."""
    postiz = MemoryPostiz(f"{rows.server}/public/v1")

    def build(profile_id: str) -> Publisher:
        return Publisher(
            profile_id=profile_id, version=1, account_id=rows.account_id, postiz=postiz
        )

    runtime.publishers = Publishers(build)
    return postiz
