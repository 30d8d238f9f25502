"""The items of an upload request: each a file or an address, accepted or refused."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shared import quotas
from shared.errors import FieldError, InvalidRequest, RequestError
from shared.http_address import HttpAddress
from shared.intake import job_creation, targets
from shared.intake.job_creation import Upload
from shared.media import repository
from shared.media.ingest import Received
from shared.models import AccountMedia, Job, Media
from shared.net import outbound_route
from shared.net.outbound_route import Route
from shared.profiles import profile_settings
from shared.quotas import Quota
from web.auth import current_profile
from web.http_layer.multipart import Part
from web.schemas.uploads import ItemError, UploadByUrl, UploadedItem
from web.serializers.rows import media_view
from web.services import current_services

#: For the names of all addresses of one request; a server of names may leave each without answer.
LOOKUP_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file or address of a request. `add` makes its row, or finds the existing one."""

    index: int = 0
    add: Callable[[Session], tuple[Media, bool]] | None = None
    error: RequestError | None = None
    external_id: str | None = None
    order: str = ""  # rows are made in this order, so that two requests cannot deadlock


def require_upload_profile() -> str:
    """The profile of this request, which has a Postiz to upload to.

    Checked before a gigabyte is sent for nothing. Raises `NotConfigured`.
    """
    with current_services().database.transaction() as session:
        profile = profile_settings.load_profile(session, current_profile(session))
        profile_settings.require_kept(profile.id, profile.deleting_since)
        profile_settings.require_configured(profile, current_services().settings)
        return profile.id


def store_file(profile_id: str, index: int, part: Part, external_id: str | None = None) -> Item:
    """Bring the file to its place; `add` makes its row in the transaction of the request."""
    if part.received is None:
        return Item(index=index, error=part.error)
    return received_item(profile_id, index, part.received, external_id)


def received_item(
    profile_id: str, index: int, received: Received, external_id: str | None = None
) -> Item:
    """The same, of a file that has come by another way than a multipart body."""
    storage = current_services().storage
    received.prepare(storage, profile_id)

    def add(session: Session) -> tuple[Media, bool]:
        return repository.add_file(session, storage, profile_id, received)

    return Item(index=index, add=add, external_id=external_id, order=received.sha256)


def url_items(profile_id: str, rows: Sequence[UploadByUrl]) -> list[Item]:
    origins = _Origins(Route.from_settings(current_services().settings))
    return [
        _url_item(profile_id, index, row, _url_refusal(row.url, origins))
        for index, row in enumerate(rows)
    ]


class _Origins:
    """Those of one request: each is looked up once, while there is time for it.

    What is not looked up is left to the worker that fetches the file, which checks in any case.
    """

    def __init__(self, route: Route) -> None:
        self._route = route
        self._seen: dict[str, InvalidRequest | None] = {}
        self._ends = time.monotonic() + LOOKUP_SECONDS

    def require_allowed(self, address: HttpAddress) -> None:
        """Raise `InvalidRequest` for one that may not be fetched, or does not resolve."""
        if address.origin not in self._seen and time.monotonic() < self._ends:
            self._seen[address.origin] = self._find_refusal(address)
        refusal = self._seen.get(address.origin)
        if refusal is not None:
            raise refusal

    def _find_refusal(self, address: HttpAddress) -> InvalidRequest | None:
        try:
            outbound_route.require_allowed(address, self._route)
        except InvalidRequest as refusal:
            return refusal
        return None


def _url_refusal(url: str, origins: _Origins) -> InvalidRequest | None:
    """Why the address is malformed or may not be fetched, or None."""
    try:
        origins.require_allowed(outbound_route.require_address(url))
    except InvalidRequest as error:
        error.fields = (FieldError(field="url", message=error.message, code=error.code),)
        return error
    return None


def _url_item(
    profile_id: str, index: int, row: UploadByUrl, refusal: InvalidRequest | None
) -> Item:
    def add(session: Session) -> tuple[Media, bool]:
        return repository.add_url(session, profile_id, row.url), False

    if refusal is not None:
        return Item(index=index, error=refusal)
    return Item(index=index, add=add, external_id=row.external_id)


def accept_items(
    session: Session, profile_id: str, items: Sequence[Item], *, kind: str
) -> tuple[Job, list[int], list[UploadedItem]]:
    """The job of the accepted items, the uploads that wait for a worker, and each item's result."""
    account = targets.ensure_locked_account(
        session, profile_id, current_services().settings, current_services().box
    )
    added = {
        item.index: item.add(session)
        for item in sorted(items, key=lambda item: item.order)
        if item.add is not None
    }
    uploads = [
        Upload(media_id=added[item.index][0].id, external_id=item.external_id)
        for item in items
        if item.index in added
    ]
    job, rows = job_creation.accept_uploads(session, profile_id, account, uploads, kind=kind)
    quotas.require_room(session, profile_id, Quota.MEDIA_BYTES, current_services().settings)
    return (
        job,
        _waiting_upload_ids(rows),
        [_item_view(item, added.get(item.index)) for item in items],
    )


def _waiting_upload_ids(rows: Sequence[AccountMedia]) -> list[int]:
    return [row.id for row in rows if row.state == "pending"]


def _item_view(item: Item, added: tuple[Media, bool] | None) -> UploadedItem:
    if added is None:
        assert item.error is not None  # an item is either added or refused
        error = ItemError(code=item.error.code, message=item.error.message)
        return UploadedItem(index=item.index, ok=False, error=error)
    row, duplicate = added
    return UploadedItem(index=item.index, ok=True, media=media_view(row, duplicate=duplicate))
