"""Channels: of each profile those that Postiz listed last, and the servers that they are on."""

from flask import Response

from shared.accounts import channel_states, server_health
from shared.profiles import listing
from web.auth import current_caller
from web.pages.layout import create_reader_blueprint, show
from web.services import current_services

pages = create_reader_blueprint("channel_pages")

CHANNELS = "/channels"
#: Profiles on the page, the first by their names.
AT_ONCE = 100


@pages.get(CHANNELS)
def show_channels() -> Response:
    visible = current_caller().visible
    with current_services().database.transaction() as session:
        profiles = listing.list_by_name(session, visible, limit=AT_ONCE)
        channels = {
            profile.id: channel_states.read_shown(session, profile.account_id or 0)
            for profile in profiles
        }
        return show(
            "channels.html",
            title="Channels",
            path=CHANNELS,
            profiles=profiles,
            channels=channels,
            servers=list(server_health.read_health(session, visible)),
        )
