"""Compose: clips, captions, channels and times, with the plan before the button.

The page's scripts do the work by calls of the API. What they must know of the channels' rules comes
with the page, so that they count as the server does.
"""

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from shared.accounts import channel_states, channels
from shared.domain.networks.caption_length import LINK_LENGTH, weighing_patterns
from shared.domain.networks.channel_states import ChannelState
from shared.domain.networks.thread_support import MAX_DELAY, MAX_PARTS
from shared.intake.schemas import MAX_ITEMS
from shared.models import Account, Integration, Profile
from shared.profiles import listing, profile_settings
from web.auth import current_caller, require_visible_profile
from web.pages.layout import create_reader_blueprint, show
from web.serializers.channel_rules import describe_rules, describe_settings
from web.serializers.plan_words import PLAN_WORDS
from web.services import current_services

pages = create_reader_blueprint("compose_pages")

COMPOSE = "/compose"
#: Profiles to choose from, the first by their names; others are named in the address.
AT_ONCE = 500
_LIMITS = {"rows": MAX_ITEMS, "parts": MAX_PARTS, "delay": MAX_DELAY}
#: What a column of a CSV may become: its name in a draft, words, and names that people give it.
COLUMNS = (
    ("caption", "caption", "caption|text|description|message|content"),
    (
        "media",
        "clips: names, addresses or ids",
        "(media|file|clip|video|image|url)(s|_?name|_ids?)?",
    ),
    ("at", "time", "schedule_date|date|time|datetime|when|publish_at|at"),
    ("channels", "channels", "(integration_id|channel)s?"),
    ("thread", "first comment", "(first_)?comment"),
    (
        "profile",
        "profile: only rows of this one are taken",
        "(profile|client|brand)(_?name|_id)?",
    ),
    ("external", "your own id", "external_id|id"),
    ("settings", "settings (JSON)", "settings"),
    *((f"thread_{n}", f"part {n + 1} of the thread", f"thread_{n}") for n in range(1, 10)),
)
#: Of the organization that a fresh sandbox has.
SANDBOX_KEY = "sandbox-demo-key"


@pages.get(COMPOSE)
def show_compose() -> Response:
    ours = current_services()
    with ours.database.reading() as session:
        visible = current_caller().visible
        profiles = listing.list_by_name(session, visible, limit=AT_ONCE, deleting=False)
        profile = _choose_profile(session, profiles)
        rows = list_channels(session, profile)
        source = profile_settings.source_of(profile, ours.settings) if profile else "none"
        return show(
            "compose.html",
            title="Compose",
            path=COMPOSE,
            profiles=profiles,
            profile=profile,
            channels=rows,
            picture_of=picture_of,
            networks={row.identifier: describe_settings(row.identifier) for row in rows},
            columns=[*COLUMNS, *_caption_columns(rows)],
            configured=source != "none",
            api_url="",
            sandbox_url=ours.settings.sandbox_url,
            sandbox_key=SANDBOX_KEY,
            facts=_facts_of(session, profile, rows) if profile and rows else None,
        )


def _choose_profile(session: Session, profiles: Sequence[Profile]) -> Profile | None:
    """The one that is named, else the first; None where there is none."""
    if named := request.args.get("profile"):
        return profile_settings.load_profile(session, require_visible_profile(named))
    return next(iter(profiles), None)


def list_channels(session: Session, profile: Profile | None) -> Sequence[Integration]:
    if profile is None or profile.account_id is None:
        return []
    return channel_states.read_shown(session, profile.account_id)


def picture_of(row: Integration) -> str | None:
    """Its picture's path if it is kept here: pages ask no other host for anything."""
    own = request.host_url
    address = row.picture or ""
    if address.startswith(own):
        return f"/{address.removeprefix(own)}"
    return address if address.startswith("/") and not address.startswith("//") else None


def _caption_columns(rows: Sequence[Integration]) -> list[tuple[str, str, str]]:
    networks = sorted({row.identifier for row in rows})
    return [
        (f"caption_{name}", f"caption on {name}", f"caption_{name.replace('-', '_')}")
        for name in networks
    ]


def _facts_of(session: Session, profile: Profile, rows: Sequence[Integration]) -> dict[str, Any]:
    """What the page's script is told, as JSON."""
    account = session.get_one(Account, profile.account_id)
    return {
        "person": current_caller().reference,
        "profile": profile.id,
        "names": [profile.id.lower(), profile.name.lower()],
        "requires_approval": profile.requires_approval,
        "counting": {**weighing_patterns(), "link_length": LINK_LENGTH},
        "most": _LIMITS,
        "words": PLAN_WORDS,
        "channels": [_channel_facts(row, account) for row in rows],
    }


def _channel_facts(row: Integration, account: Account) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "identifier": row.identifier,
        "ready": row.state == ChannelState.READY,
        **describe_rules(channels.channel_of(row), account.rule_overrides),
    }
