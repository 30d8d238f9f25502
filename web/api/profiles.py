"""Profiles: brands, clients or channels, and where their posts go."""

import re
import secrets
import time
import unicodedata
from collections.abc import Sequence

from flask import Response
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.accounts import holds
from shared.accounts.holds import HeldProfile
from shared.errors import Conflict, Forbidden
from shared.models import Profile
from shared.postiz.discovery import Probe
from shared.profiles import deletion, profile_settings
from shared.profiles.invalidation import Effect
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller, require_visible_profile
from web.http_layer.idempotency import Reply, answer_once, find_answer
from web.http_layer.pagination import PageQuery, Query, decode_cursor, next_cursor
from web.paths import PREFIX
from web.request_parsing import credential_check, environment_grant, profile_quotas
from web.schemas.common import IdPath, Page
from web.schemas.profiles import (
    EffectView,
    HoldView,
    NewProfile,
    PatchProfile,
    ProfileView,
    PutProfile,
    TtsSettings,
)
from web.services import current_services

#: A deletion that takes longer is left to the workers.
DELETING_SECONDS = 5.0

api = create_blueprint("profiles", "Brands, clients, channels: whose posts", write="settings")


def profile_views(session: Session, rows: Sequence[Profile]) -> list[ProfileView]:
    held = holds.list_held(session, profile_ids=[row.id for row in rows])
    return [
        _profile_view(
            row, [held_profile for held_profile in held if held_profile.profile_id == row.id]
        )
        for row in rows
    ]


def _profile_view(
    profile: Profile, held: Sequence[HeldProfile], probe: Probe | None = None
) -> ProfileView:
    return ProfileView(
        id=profile.id,
        name=profile.name,
        description=profile.description,
        tts_settings=profile_settings.public_settings(profile, current_services().box),
        environment_allowed=profile.environment_allowed,
        account_id=None if profile.account_id is None else str(profile.account_id),
        duplicate_window_hours=profile.duplicate_window_hours,
        paused=profile.paused,
        requires_approval=profile.requires_approval,
        deleting_since=profile.deleting_since,
        holds=[
            HoldView.model_validate(held_profile, from_attributes=True) for held_profile in held
        ],
        created_at=profile.created_at,
        updated_at=profile.updated_at,
        postiz_check=credential_check.probe_view(probe),
    )


@api.post("/profiles", responses={201: ProfileView, **problem_responses(409, 422)})
def create_profile(body: NewProfile) -> Response:
    """Create a profile, with its Postiz credentials or without"""
    if current_caller().is_bound:
        raise Forbidden("This API key is bound to profiles and cannot create others")
    allowed = environment_grant.decide_grant(body, before=False)
    if (earlier := find_answer()) is not None:
        return earlier
    probe = credential_check.check_before_saving(body.tts_settings, environment_allowed=allowed)
    return answer_once(lambda session: _insert_profile(session, body, probe, allowed=allowed))


def _make_id(name: str) -> str:
    """People recognise it, and it tells nobody which others there are."""
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", latin)[:40].strip("-")
    return f"{plain or 'p'}-{secrets.token_hex(3)}"


def _insert_profile(
    session: Session, body: NewProfile, probe: Probe | None, *, allowed: bool
) -> Reply:
    profile_id = body.id or _make_id(body.name)
    statement = insert(Profile).values(
        id=profile_id,
        name=body.name,
        description=body.description,
        settings_version=profile_settings.first_version(),
        environment_allowed=allowed,
        duplicate_window_hours=body.duplicate_window_hours,
        requires_approval=bool(body.requires_approval),
    )
    if session.scalar(statement.on_conflict_do_nothing().returning(Profile.id)) is None:
        raise Conflict(f"There is a profile {profile_id!r} already")
    profile = profile_settings.load_profile(session, profile_id)
    _save_settings(session, profile, body.tts_settings, probe, allowed=allowed)
    session.flush()
    session.refresh(profile)
    headers = {"Location": f"{PREFIX}/profiles/{profile_id}"}
    return Reply(body=_profile_view(profile, (), probe), status=201, headers=headers)


def _save_settings(
    session: Session,
    profile: Profile,
    settings: TtsSettings | None,
    probe: Probe | None,
    *,
    allowed: bool,
) -> None:
    changes = settings.changes() if settings else {}
    default_changes = allowed != profile.environment_allowed and "postiz" not in {
        **profile.tts_settings,
        **changes,
    }
    profile.environment_allowed = allowed
    if settings is None and not default_changes:
        return
    profile_settings.save_settings(session, profile, changes, current_services().box)
    if "postiz" in changes or default_changes:
        in_force = profile_settings.credentials_of(
            profile, current_services().settings, current_services().box
        )
        profile_settings.connect_account(session, profile, in_force, probe)


@api.get("/profiles", responses={200: Page[ProfileView]})
def list_profiles(query: PageQuery) -> Response:
    """List the profiles that the key may see"""
    wanted = select(Profile).order_by(Profile.id).limit(query.limit)
    wanted = wanted.where(current_caller().visible.condition(Profile))
    if (after := decode_cursor(query.cursor)) is not None:
        wanted = wanted.where(Profile.id > after)
    with current_services().database.transaction() as session:
        rows = session.scalars(wanted).all()
        shown = profile_views(session, rows)
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    page = Page[ProfileView](items=shown, next_cursor=onward)
    return Reply(body=page).response()


@api.get("/profiles/<id>", responses={200: ProfileView})
def get_profile(path: IdPath) -> Response:
    """Read a profile"""
    with current_services().database.transaction() as session:
        profile = profile_settings.load_profile(session, require_visible_profile(path.id))
        [shown] = profile_views(session, [profile])
        shown.quotas = profile_quotas.quotas_view(session, profile)
    return Reply(body=shown).response()


@api.put("/profiles/<id>", responses={200: ProfileView})
def put_profile(path: IdPath, body: PutProfile) -> Response:
    """Replace a profile's name and description"""
    with current_services().database.transaction() as session:
        profile = profile_settings.lock_profile(session, require_visible_profile(path.id))
        profile.name, profile.description = body.name, body.description
        _set_approval(profile, body)
        return _save_and_respond(session, profile)


@api.patch("/profiles/<id>", responses={200: ProfileView, **problem_responses(422)})
def patch_profile(path: IdPath, body: PatchProfile) -> Response:
    """Change a profile; new credentials are tried, and in force everywhere once this answers"""
    with current_services().database.transaction() as session:
        profile = profile_settings.load_profile(session, require_visible_profile(path.id))
    profile_quotas.require_grant(body)
    allowed = environment_grant.decide_grant(body, profile.environment_allowed)
    probe = credential_check.check_before_saving(body.tts_settings, environment_allowed=allowed)
    with current_services().database.transaction() as session:
        profile = profile_settings.lock_profile(session, path.id)
        version = profile.settings_version
        allowed = environment_grant.decide_grant(body, profile.environment_allowed)
        profile.name = body.name or profile.name
        if "description" in body.model_fields_set:
            profile.description = body.description
        if body.duplicate_window_hours is not None:
            profile.duplicate_window_hours = body.duplicate_window_hours
        _set_approval(profile, body)
        profile.quotas = profile_quotas.merge_quotas(profile.quotas, body.quotas)
        _save_settings(session, profile, body.tts_settings, probe, allowed=allowed)
        shown = _save_and_show(session, profile, probe)
    if profile.settings_version != version:
        effect = current_services().settings_changed(profile.id, profile.settings_version)
        shown.in_effect = None if effect is None else _effect_view(effect)
    _wake_account(profile)
    return Reply(body=shown).response()


def _effect_view(effect: Effect) -> EffectView:
    milliseconds = round(effect.seconds * 1000, 1)
    return EffectView(
        processes=effect.processes, confirmed=effect.confirmed, milliseconds=milliseconds
    )


def _set_approval(profile: Profile, body: PutProfile | PatchProfile) -> None:
    """Whoever does not name it does not know of it, and must not switch it off."""
    if body.requires_approval is not None:
        profile.requires_approval = body.requires_approval


def _save_and_respond(session: Session, profile: Profile) -> Response:
    return Reply(body=_save_and_show(session, profile)).response()


def _save_and_show(session: Session, profile: Profile, probe: Probe | None = None) -> ProfileView:
    profile.updated_at = func.now()
    session.flush()
    session.refresh(profile)
    held = holds.list_held(session, profile_ids=[profile.id])
    return _profile_view(profile, held, probe)


class DeleteQuery(Query):
    force: bool = Field(False, description="Give up what is pending")


@api.delete("/profiles/<id>", responses={202: ProfileView, 204: None, **problem_responses(409)})
def delete_profile(path: IdPath, query: DeleteQuery) -> Response:
    """Delete a profile, its media, jobs and posts

    Refused with 409 while posts are pending, unless `force` gives them up; and always while posts
    are in Postiz and not yet published. 204 once all of it is gone; 202 where there is much, and
    the workers go on: until then the profile shows `deleting_since`, and takes nothing new.
    """
    ours = current_services()
    with ours.database.transaction() as session:
        version = profile_settings.load_profile(
            session, require_visible_profile(path.id)
        ).settings_version
        deletion.begin_removal(session, path.id, force=query.force)
    ours.settings_changed(path.id, version + 1)
    until = time.monotonic() + DELETING_SECONDS
    if deletion.continue_removal(ours.database, ours.storage, path.id, until=until):
        return Response(status=204)
    ours.waker.remove_profiles()
    with ours.database.transaction() as session:
        shown = profile_views(session, [row for row in [session.get(Profile, path.id)] if row])
    return Reply(body=shown[0], status=202).response() if shown else Response(status=204)


@api.post("/profiles/<id>/pause", responses={200: ProfileView})
def pause_profile(path: IdPath) -> Response:
    """Hold back what the profile has not handed to Postiz yet"""
    return _set_paused(path.id, paused=True)


@api.post("/profiles/<id>/resume", responses={200: ProfileView})
def resume_profile(path: IdPath) -> Response:
    """Go on after a pause"""
    return _set_paused(path.id, paused=False)


def _set_paused(profile_id: str, *, paused: bool) -> Response:
    with current_services().database.transaction() as session:
        profile = profile_settings.lock_profile(session, require_visible_profile(profile_id))
        profile.paused = paused
        answer = _save_and_respond(session, profile)
    _wake_account(profile)
    return answer


def _wake_account(profile: Profile) -> None:
    """What was held or paused may now go on."""
    if profile.account_id is not None:
        current_services().waker.stage(profile.account_id)
