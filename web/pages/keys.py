"""Keys of the API: made, shown once, and revoked."""

from flask import Response
from sqlalchemy import select

from shared.access.api_keys import SCOPES
from shared.models import ApiKey
from web.api.keys import key_views
from web.auth import current_caller, require_scope
from web.http_layer.pagination import next_cursor, page_query
from web.pages.layout import create_reader_blueprint, requested_page, show
from web.pages.profiles import OFFERED, offer_profiles
from web.services import current_services

pages = create_reader_blueprint("key_pages")

KEYS = "/keys"
AT_ONCE = 50


@pages.get(KEYS)
def show_keys() -> Response:
    require_scope("admin")
    caller = current_caller()
    own = select(ApiKey).where(caller.visible.condition(ApiKey))
    query = page_query(own, ApiKey.id, requested_page(AT_ONCE), newest=True)
    with current_services().database.transaction() as session:
        rows = session.scalars(query).all()
        keys = key_views(session, rows)
        profiles = offer_profiles(session)
    return show(
        "keys.html",
        title="API keys",
        path="/settings",
        keys=keys,
        scopes=SCOPES,
        own_profiles=sorted(caller.visible.ids or ()),
        profiles=profiles,
        most=OFFERED,
        cursor=next_cursor(rows, AT_ONCE, lambda row: row.id),
    )
