"""The client: the only module that makes HTTP calls to Postiz. Its facts are in docs/POSTIZ.md."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import requests
from requests_toolbelt import MultipartEncoder

from shared import metrics, redaction
from shared.errors import Budget, OutcomeUnknown, PostRejected, Transient, WrongBaseUrl
from shared.net.bounded_body import MAX_BYTES
from shared.net.outbound_route import Route
from shared.net.transport import Broken, NotSent, TooLarge, Transport
from shared.postiz import reply_values as values
from shared.postiz.payloads import Element, RemoteMedia, call_body, encode_json, format_time
from shared.postiz.responses import budget_of, error_of, hide_secret, not_postiz, sent_at
from shared.postiz.window_parts import TOO_LARGE, read_in_parts

READ_SECONDS = 10.0  # the most for a read; a read never gets more time than a write
STALLED_UPLOAD_SECONDS = 30.0
#: The most for an upload: for its reply, and for each byte that it sends (bytes a second).
UPLOAD_SECONDS = 120.0
SLOWEST_UPLOAD = 16 * 1024
#: The most that a reply may have (bytes); only a window of the calendar may have more.
REPLY_BYTES = 2 * 1024**2
_ID, _OF_ANY = re.compile(r"/(posts|integration-[a-z]+|analytics/post|analytics)/[^/]+"), r"/\1/ID"
Check = Callable[[], None] | None  # called before the first byte; raises to forbid the call


@dataclass(frozen=True, kw_only=True)
class RemoteIntegration:
    id: str
    name: str
    identifier: str
    picture: str | None
    disabled: bool
    profile: str | None


@dataclass(frozen=True, kw_only=True)
class Created:
    """The new ids, in the order of the elements, and the budget that is left after the call."""

    ids: Sequence[str]
    budget: Budget | None
    status: int


@dataclass(frozen=True, kw_only=True)
class RemotePost:
    """A post as Postiz lists it; `state`: QUEUE, PUBLISHED, ERROR or DRAFT."""

    id: str
    state: str
    publish_at: datetime
    content: str
    integration_id: str
    release_url: str | None


@dataclass(frozen=True, kw_only=True)
class Notification:
    content: str
    created_at: datetime


class Readable(Protocol):
    """The source of an upload; `len`: the number of bytes that are left."""

    len: int

    def read(self, size: int = -1) -> bytes: ...


class KeyAuth(requests.auth.AuthBase):
    """The bare key, without `Bearer`."""

    def __init__(self, key: str) -> None:
        self._key = key
        redaction.remember_secret(key)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._key
        return request


@dataclass
class Postiz:
    """One organization's API at `base_url` (`…/public/v1`). Raises `PublisherError`s only.

    `check` is called before each call, unless the call has a `last_check` of its own. Thread-safe.
    """

    base_url: str
    api_key: str = field(repr=False)
    check: Callable[[], None] = field(kw_only=True)
    call_seconds: float = 20.0
    route: Route = field(kw_only=True)

    def __post_init__(self) -> None:
        auth = KeyAuth(self.api_key)
        self._transport = Transport(auth, route=self.route, check=self.check)
        self.clock_error = timedelta(0)  # how far Postiz's clock is ahead, as last seen

    def close(self) -> None:
        self._transport.close()

    # reads: harmless to repeat

    def connected(self, *, seconds: float = READ_SECONDS) -> None:
        reply = self.read_json("/is-connected", seconds=seconds)
        if reply != {"connected": True}:
            raise WrongBaseUrl(f"{self.base_url} answers, but not as Postiz does")

    def integrations(self, *, seconds: float = READ_SECONDS) -> list[RemoteIntegration]:
        rows = self.read_json("/integrations", seconds=seconds)
        with values.expect_shape(Transient):
            return [
                RemoteIntegration(
                    id=values.read_id(row["id"]),
                    name=values.read_words(row["name"] or ""),
                    identifier=values.read_words(row["identifier"]),
                    picture=values.read_url(row.get("picture")),
                    disabled=bool(row.get("disabled")),
                    profile=values.read_words(row["profile"]) if row.get("profile") else None,
                )
                for row in values.read_rows(rows, most=values.MAX_INTEGRATIONS)
            ]

    def window(self, start: datetime, end: datetime) -> list[RemotePost]:
        """The posts dated from `start` to `end`, both included; deleted ones are not listed."""
        return read_in_parts(self._read_window, start, end)

    def _read_window(self, start: datetime, end: datetime) -> list[RemotePost]:
        query = {"startDate": format_time(start), "endDate": format_time(end)}
        answer = self.read_json("/posts", params=query, most=MAX_BYTES)
        with values.expect_shape(Transient):
            if len(answer["posts"]) > values.MAX_POSTS:
                raise Transient("Postiz answered too many posts", code=TOO_LARGE)
            return [
                RemotePost(
                    id=values.read_id(row["id"]),
                    state=values.read_words(row["state"]),
                    publish_at=values.read_moment(row["publishDate"]),
                    content=values.read_words(row["content"] or "", most=values.MAX_CONTENT),
                    integration_id=values.read_id(row["integration"]["id"]),
                    release_url=values.read_url(row["releaseURL"]),
                )
                for row in values.read_rows(answer["posts"], most=values.MAX_POSTS)
            ]

    def notifications(self) -> list[Notification]:
        """The newest hundred, newest first: the only source of the reason for a failure."""
        answer = self.read_json("/notifications", params={"page": 0})
        with values.expect_shape(Transient):
            return [
                Notification(
                    content=values.read_words(row["content"], most=values.MAX_WORDS),
                    created_at=values.read_moment(row["createdAt"]),
                )
                for row in values.read_rows(answer["notifications"], most=values.MAX_NOTIFICATIONS)
            ]

    def has_status_route(self) -> bool:
        """Whether a draft can be released (since v2.21.7): tries a post that cannot exist."""
        try:
            self.send_write("PUT", "/posts/pressroom-probe/status", {"status": "draft"})
        except WrongBaseUrl as error:
            if error.status != 404:  # from a proxy: it says nothing about the route
                raise
            return False  # Cannot PUT
        except PostRejected:
            return True  # 400: Post not found
        return True

    # writes: if the outcome is unknown, OutcomeUnknown

    def upload(
        self, name: str, mime: str, stream: Readable, *, last_check: Check = None
    ) -> RemoteMedia:
        """Send a file without holding it in memory. A second upload only leaves an unused file."""
        form = MultipartEncoder({"file": (name, stream, mime)})
        reply = self._call_api(
            "POST",
            "/upload",
            total=UPLOAD_SECONDS + form.len / SLOWEST_UPLOAD,
            stall=STALLED_UPLOAD_SECONDS,
            data=form,
            last_check=last_check,
            headers={"Content-Type": form.content_type},
        )
        row = self.parse_json(reply, write=True)
        with values.expect_shape(OutcomeUnknown):
            return RemoteMedia(id=values.read_id(row["id"]), path=values.read_path(row["path"]))

    def stage(
        self, date: datetime, elements: Sequence[Element], *, last_check: Check = None
    ) -> Created:
        """Create drafts, all with one `date`; counted once."""
        return self._send_posts("draft", date, elements, last_check)

    def move(self, date: datetime, elements: Sequence[Element]) -> Created:
        """Change the dates of existing posts in place, as parking does; counted once."""
        return self._send_posts("update", date, elements)

    def release(self, postiz_id: str, *, last_check: Check = None) -> int:
        """Schedule a draft; never twice for one id. A 200 proves little: read the post after it."""
        path = f"/posts/{postiz_id}/status"
        reply = self.send_write("PUT", path, {"status": "schedule"}, last_check=last_check)
        return reply.status_code

    def delete(self, postiz_id: str) -> None:
        """Delete a post in Postiz. For an unknown id Postiz answers 500: OutcomeUnknown."""
        self.send_write("DELETE", f"/posts/{postiz_id}", None)

    def _send_posts(
        self, kind: str, date: datetime, elements: Sequence[Element], last_check: Check = None
    ) -> Created:
        body = call_body(kind, date, elements)
        reply = self.send_write("POST", "/posts", body, last_check=last_check)
        rows = self.parse_json(reply, write=True)
        with values.expect_shape(OutcomeUnknown):
            ids = values.read_new_ids(rows, number=len(elements))
        return Created(ids=ids, budget=budget_of(reply), status=reply.status_code)

    def read_json(
        self,
        path: str,
        *,
        params: Any = None,
        seconds: float = READ_SECONDS,
        most: int = REPLY_BYTES,
    ) -> Any:
        bound = min(seconds, self.call_seconds)
        try:
            reply = self._call_api("GET", path, total=bound, stall=bound, params=params, most=most)
            return self.parse_json(reply, write=False)
        except OutcomeUnknown as error:
            code = TOO_LARGE if isinstance(error.__cause__, TooLarge) else None
            failed = Transient(error.message, code=code)  # a read changes nothing
            failed.status = error.status
            raise failed from error

    def send_write(self, method: str, path: str, body: Any, **options: Any) -> requests.Response:
        if body is not None:
            options["data"] = encode_json(body)
            options["headers"] = {"Content-Type": "application/json"}
        options["total"] = options["stall"] = self.call_seconds
        return self._call_api(method, path, **options)

    def _call_api(
        self, method: str, path: str, *, most: int = REPLY_BYTES, **kwargs: Any
    ) -> requests.Response:
        where = f"{method} {path}"
        try:
            reply = self._send_timed(method, path, most=most, **kwargs)
        except NotSent as error:
            raise Transient(
                f"Postiz cannot be reached ({where}): {error}", code=error.code
            ) from error
        except Broken as error:
            raise OutcomeUnknown(f"{where}: {error}") from error
        if remote_now := sent_at(reply):
            self.clock_error = remote_now - datetime.now(UTC)
        if reply.status_code >= 300:
            refusal = hide_secret(error_of(reply, where), self.api_key)
            refusal.status, refusal.budget = reply.status_code, budget_of(reply)
            raise refusal
        return reply

    def _send_timed(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """The call, with its time recorded by route and by the status of its answer."""
        route = f"{method} {_ID.sub(_OF_ANY, path)}"
        status, began = "not made", time.monotonic()
        try:
            reply = self._transport.request(method, self.base_url + path, **kwargs)
            status = str(reply.status_code)
        except NotSent:
            status = "not sent"
            raise
        except Broken:
            status = "no answer"
            raise
        finally:
            metrics.POSTIZ.labels(route, status).observe(time.monotonic() - began)
        return reply

    def parse_json(self, reply: requests.Response, *, write: bool) -> Any:
        try:
            return values.parse_json(reply)
        except values.NotJson as error:
            if write:  # whoever answered so may have passed the call on
                raise OutcomeUnknown("Postiz answered something that is not JSON") from error
            if "html" in reply.headers.get("Content-Type", ""):
                raise hide_secret(WrongBaseUrl(not_postiz(reply)), self.api_key) from error
            raise Transient("Postiz answered something that is not JSON") from error
