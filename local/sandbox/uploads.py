"""POST /upload and /upload-from-url: files stream through, and only their facts are kept."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import BodyPartReader, MultipartReader, web

from . import replies, urls
from .bodies import drain, is_upload
from .dates import from_ms
from .orgs import Org
from .replies import Refused, Reply
from .sniffing import HEAD_BYTES, Kind, sniff
from .state import Sandbox

CHUNK = 256 * 1024
_FETCH_LIMIT = aiohttp.ClientTimeout(total=120)


@dataclass
class Facts:
    """Of a file that went by: its size, its hash, and its first bytes."""

    size: int = 0
    head: bytes = b""
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.digest.update(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]


async def upload(sandbox: Sandbox, org: Org, request: web.Request) -> Reply:
    facts = await _read_file(request) if is_upload(request) else None
    if facts is None:
        raise Refused(replies.custom(400, "No file provided"))
    kind = sniff(facts.head)
    if kind is None:
        raise Refused(replies.bad_request("Unsupported file type."))
    if facts.size > kind.limit:
        message = f"File size exceeds the maximum allowed size of {kind.limit} bytes."
        raise Refused(replies.bad_request(message))
    return _keep(sandbox, org, facts, kind)


async def _read_file(request: web.Request) -> Facts | None:
    """The one part named `file`; any other file part is refused by its name."""
    facts: Facts | None = None
    try:
        async for part in _parts(await request.multipart()):
            if part.filename is None:
                continue
            if part.name != "file" or facts is not None:
                await drain(request)
                raise Refused(replies.bad_request(f"Unexpected field - {part.name}"))
            facts = await _read_part(part)
    except ValueError as error:
        await drain(request)
        raise Refused(replies.bad_request("Multipart: Unexpected end of form")) from error
    return facts


async def _parts(reader: MultipartReader) -> AsyncIterator[BodyPartReader]:
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader):
            yield part


async def _read_part(part: BodyPartReader) -> Facts:
    facts = Facts()
    while chunk := await part.read_chunk(CHUNK):
        facts.add(chunk)
    return facts


async def upload_from_url(sandbox: Sandbox, org: Org, body: Any) -> Reply:
    allow_private = sandbox.options.allow_private_urls
    problems = urls.problems(body, allow_private=allow_private)
    if problems:
        raise Refused(replies.bad_request(problems))
    if not allow_private:
        raise Refused(replies.custom(400, "Failed to fetch URL"))
    facts = await _fetch(str(body["url"]))
    kind = sniff(facts.head)
    if kind is None:
        raise Refused(replies.custom(400, "Unsupported file type."))
    if facts.size > kind.limit:
        raise Refused(replies.custom(400, "File is too large."))
    return _keep(sandbox, org, facts, kind)


async def _fetch(url: str) -> Facts:
    facts = Facts()
    try:
        async with (
            aiohttp.ClientSession(timeout=_FETCH_LIMIT, raise_for_status=True) as session,
            session.get(url) as response,
        ):
            async for chunk in response.content.iter_chunked(CHUNK):
                facts.add(chunk)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Refused(replies.custom(400, "Failed to fetch URL")) from error
    return facts


def _keep(sandbox: Sandbox, org: Org, facts: Facts, kind: Kind) -> Reply:
    name = f"{secrets.token_hex(16)}.{kind.extension}"
    day = from_ms(sandbox.now_ms()).strftime("%Y/%m/%d")
    media = sandbox.posts.add_media(
        org.id,
        name=name,
        path=f"{sandbox.url}/uploads/{day}/{name}",
        mime=kind.mime,
        size=facts.size,
        sha256=facts.digest.hexdigest(),
    )
    seen = {"size": facts.size, "sha256": facts.digest.hexdigest(), "mime": kind.mime}
    sandbox.ledger.add("upload", org.id, media=media["id"], path=media["path"], **seen)
    return Reply(201, media)
