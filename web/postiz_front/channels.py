"""Channels, and what Postiz itself has to answer about them: its answer is sent on."""

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from shared.accounts import identity
from shared.errors import (
    CredentialsRejected,
    PostRejected,
    PublisherError,
    Unavailable,
    WrongBaseUrl,
)
from shared.models import Account, Integration, Profile
from shared.postiz import extras
from shared.postiz.extras import Question
from shared.profiles import profile_settings
from web.auth import current_profile
from web.postiz_front import bodies, edits, replies
from web.postiz_front.blueprint import front
from web.postiz_front.replies import json_response
from web.request_parsing import live_integrations
from web.services import current_services

#: The longest time that a request waits for Postiz (seconds).
ASK_SECONDS = 10.0
LIST_SECONDS = 5.0
_DAYS = "7"


@front.get("/is-connected")
def is_connected() -> Response:
    with current_services().database.reading() as session:
        current_profile(session)
    return json_response({"connected": True})


@front.get("/integrations")
def list_integrations() -> Response:
    """The profile is their customer, since it is the client that they belong to."""
    profile, rows = _read_live()
    group = request.args.get("group", "")
    shown = [_channel_view(row, profile) for row in rows if group in {"", profile.id}]
    return json_response(shown)


@front.get("/groups")
def list_groups() -> Response:
    with current_services().database.reading() as session:
        profile = profile_settings.load_profile(session, current_profile(session))
        return json_response([_customer(profile)])


def _customer(profile: Profile) -> dict[str, str]:
    return {"id": profile.id, "name": profile.name}


def _channel_view(row: Integration, profile: Profile) -> dict[str, Any]:
    names = ("id", "name", "identifier", "picture", "disabled", "profile")
    return {**{name: getattr(row, name) for name in names}, "customer": _customer(profile)}


def read_known(session: Session, profile_id: str) -> Sequence[Integration]:
    """The channels of the profile's Postiz, as it last listed them."""
    account_id = profile_settings.load_profile(session, profile_id).account_id
    return [] if account_id is None else identity.read_integrations(session, account_id)


def _read_live() -> tuple[Profile, Sequence[Integration]]:
    """As Postiz lists them; the last known list while it is away."""
    ours = current_services()
    with ours.database.transaction() as session:
        profile_id = current_profile(session)
        profile = profile_settings.load_profile(session, profile_id)
        account = profile_settings.ensure_account(session, profile, ours.settings, ours.box)
    if not ours.known_lists.is_fresh(account.id):
        try:
            live_integrations.update_integrations(profile_id, seconds=LIST_SECONDS)
        except CredentialsRejected:
            raise
        except (PublisherError, Unavailable):
            _require_list(account.id)
    with ours.database.reading() as session:
        profile = profile_settings.load_profile(session, profile_id)
        return profile, read_known(session, profile_id)


def _require_list(account_id: int) -> None:
    with current_services().database.reading() as session:
        if session.get_one(Account, account_id).integrations_seen_at is None:
            raise Unavailable("Postiz gave no list of channels, now or before")


def require_channel(channel_id: str) -> str:
    """The id of the request's profile, whose Postiz has this channel. Raises `Refused`."""
    with current_services().database.reading() as session:
        profile_id = current_profile(session)
        known = {row.id for row in read_known(session, profile_id)}
    if channel_id not in known:
        known = {row.id for row in _read_live()[1]}
    if channel_id not in known:
        raise replies.custom(404, "Integration not found")
    return profile_id


@front.get("/integration-settings/<channel_id>")
def read_settings(channel_id: str) -> Response:
    profile_id = require_channel(channel_id)
    return json_response(_ask(profile_id, extras.channel_settings(channel_id)))


@front.post("/integration-trigger/<channel_id>")
def run_tool(channel_id: str) -> Response:
    body = bodies.read_object()
    name, data = body.get("methodName"), body.get("data")
    if not isinstance(name, str):
        raise replies.bad_request(["methodName must be a string"])
    profile_id = require_channel(channel_id)
    given = data if isinstance(data, dict) else {}
    return json_response(_ask(profile_id, extras.run_tool(channel_id, name, given)), 201)


@front.get("/analytics/<channel_id>")
def read_analytics(channel_id: str) -> Response:
    profile_id = require_channel(channel_id)
    return json_response(_ask(profile_id, extras.channel_analytics(channel_id, _days())))


@front.get("/analytics/post/<id>")
def read_post_analytics(id: str) -> Response:
    profile_id, postiz_id = _find_in_postiz(id)
    if postiz_id is None:
        return json_response([])
    return json_response(_ask(profile_id, extras.post_analytics(postiz_id, _days())))


@front.get("/posts/<id>/missing")
def list_missing(id: str) -> Response:
    profile_id, postiz_id = _find_in_postiz(id)
    if postiz_id is None:
        return json_response([])
    return json_response(_ask(profile_id, extras.missing_content(postiz_id)))


@front.put("/posts/<id>/release-id")
def put_release_id(id: str) -> Response:
    release_id = bodies.read_object().get("releaseId")
    profile_id, postiz_id = _find_in_postiz(id)
    if postiz_id is None or not isinstance(release_id, str):
        raise replies.internal_error()  # as Postiz answers for what is not missing
    return json_response(_ask(profile_id, extras.set_release_id(postiz_id, release_id)))


def _find_in_postiz(post_id: str) -> tuple[str, str | None]:
    """The profile, and the id that its post has in Postiz if it is published."""
    with current_services().database.reading() as session:
        profile_id = current_profile(session)
        post = edits.find_post(session, profile_id, post_id)
        is_out = post is not None and post.published_at is not None
        return profile_id, post.postiz_post_id if post is not None and is_out else None


def _days() -> str:
    asked = request.args.get("date", _DAYS)
    return asked if asked.isascii() and asked.isdecimal() and len(asked) < 5 else _DAYS


def _ask(profile_id: str, question: Question) -> Any:
    """What Postiz answers. Raises `Refused` with what it refuses, and `PublisherError`."""
    try:
        return live_integrations.ask_publisher(profile_id, ASK_SECONDS, question)
    except PostRejected as error:
        raise replies.custom(error.status or 400, error.message) from error
    except WrongBaseUrl as error:
        if error.status != 404:
            raise
        raise replies.custom(404, "This Postiz does not have that") from error
