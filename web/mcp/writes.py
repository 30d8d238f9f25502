"""The tools that change something; those that publish are beside this."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from web.auth import current_caller
from web.mcp import plans
from web.mcp.answers import Done, Refused, count_words, fetch, find, require_success, without
from web.mcp.arguments import MissingPost, ToCancel, ToEdit, ToRetry, ToUpload
from web.mcp.own_api import Asked, ask_once
from web.mcp.reads import post_done
from web.mcp.results import WITHOUT_WORD, ChangeResult
from web.schemas.uploads import UploadReply

#: The most times that one address is taken in without an idempotency key of the caller's: again
#: only after it has failed, or its medium was deleted.
MOST_TRIES = 20


def upload_media(given: ToUpload, sent: Mapping[str, Any]) -> Done:
    """The same address gives the same medium, unless that has failed or was deleted."""
    profile_id = plans.choose_profile(given.profile_id)
    body = without(sent, "profile_id", "idempotency_key")
    named = json.dumps([profile_id, body, given.idempotency_key], sort_keys=True)
    name = hashlib.sha256(named.encode()).hexdigest()
    for number in range(MOST_TRIES):
        asked = Asked(
            method="POST",
            path="/postiz/upload",
            body=body,
            profile_id=profile_id,
            idempotency_key=f"mcp-upload:{name}:{number}",
        )
        answered = ask_once(asked)
        made = require_success(answered)
        if not answered.is_replay:
            result = UploadReply(**made)
            job = result.job.id
            text = f"Medium {result.media.id} is coming, with job {job}: use its id in media_ids"
            return Done(result=result, text=text)
        if not current_caller().may("read"):
            return _known(UploadReply(**made))  # as it was then
        if (known := _find_known(made)) is not None:
            return known
    message = f"This address was taken in {MOST_TRIES} times already: give an idempotency_key"
    raise Refused(message, "too_many_tries")


def _find_known(made: Mapping[str, Any]) -> Done | None:
    """What became of the medium of an earlier call; None if it failed, or is gone."""
    medium = find(f"/media/{made['media']['id']}")
    job = find(f"/jobs/{made['job']['id']}")
    if medium is None or job is None or job["state"] in {"failed", "cancelled"}:
        return None
    known = {name: medium[name] for name in made["media"] if name in medium}
    return _known(UploadReply(job=job, media={**made["media"], **known}))


def _known(result: UploadReply) -> Done:
    text = (
        f"This address was taken in before, as medium {result.media.id} with job {result.job.id}: "
        "use its id in media_ids. To fetch the address again, give another idempotency_key"
    )
    return Done(result=result, text=text)


def edit_post(given: ToEdit, sent: Mapping[str, Any]) -> Done:
    body = without(sent, "post_id", "id")
    return post_done("PATCH", f"/posts/{quote(given.post_id, safe='')}", body)


def cancel_posts(given: ToCancel, sent: Mapping[str, Any]) -> Done:
    return _change("cancel", sent, dry_run=given.dry_run)


def retry_posts(given: ToRetry, sent: Mapping[str, Any]) -> Done:
    return _change("retry", sent, dry_run=given.dry_run)


def retry_missing_post(given: MissingPost, sent: Mapping[str, Any]) -> Done:
    if not current_caller().may("approve"):
        raise Refused(WITHOUT_WORD, "person_has_to_look")
    body = {"confirm_not_published": True, "as_of": sent["as_of"]}
    path = f"/posts/{quote(given.post_id, safe='')}/retry"
    return post_done("POST", path, body)


def _change(verb: str, sent: Mapping[str, Any], *, dry_run: bool) -> Done:
    query = {"dry_run": "true"} if dry_run else {}
    done = fetch("POST", f"/posts/{verb}", query=query, body=without(sent, "dry_run"))
    changed = done["would_change"] if dry_run else done["changed"]
    result = ChangeResult(
        matched=done["matched"],
        changed=changed,
        may_be_live=done.get("may_be_live", 0),
        refused=done["refused"],
    )
    lines = [f"{verb}: {changed} of {count_words(result.matched, 'post')}"]
    lines += [f"- {each.count} left: {each.message}" for each in result.refused]
    return Done(result=result, text="\n".join(lines))
