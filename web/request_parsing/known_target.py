"""Work for a profile's account and channels, which Postiz may have to be asked for first."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

from flask import Response
from sqlalchemy.orm import Session

from shared.intake import targets
from shared.intake.targets import Target
from web.auth import current_caller, current_profile
from web.http_layer.idempotency import Reply, answer_once
from web.request_parsing import live_integrations
from web.request_parsing.live_integrations import ListNeeded
from web.services import current_services

#: Takes the id of the request's profile, and its account with the known channels.
Work = Callable[[Session, str, Target], Reply]


def with_approval(target: Target) -> Target:
    """Needed where the profile or the caller's key wants it."""
    needed = target.requires_approval or current_caller().requires_approval
    return replace(target, requires_approval=needed)


def answer_for_target(
    work: Work, wanted: Collection[str], *, content: str | None = None
) -> Response:
    """Do `work`, which names the channels `wanted`, in one transaction, and once for an
    idempotency key.

    Where Postiz has to be asked for its integrations first, that is done between two attempts, and
    in no transaction.
    """
    ours = current_services()

    def attempt(session: Session, *, is_first: bool) -> Reply:
        profile_id = current_profile(session)
        target = with_approval(targets.ensure_target(session, profile_id, ours.settings, ours.box))
        if is_first:
            live_integrations.require_known(profile_id, target, wanted)
        return work(session, profile_id, target)

    try:
        return answer_once(partial(attempt, is_first=True), content=content)
    except ListNeeded as needed:
        live_integrations.ask_now(needed.profile_id)
    return answer_once(partial(attempt, is_first=False), content=content)
