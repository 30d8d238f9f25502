"""The tools that change something, and the plan that comes before what is published."""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote

from shared.errors import FieldError
from web.mcp import plans
from web.mcp.answers import Done, Refused, count_words, fetch, require_success
from web.mcp.arguments import PlanId, ToCancel, ToEdit, ToPlan, ToRetry, ToUpload
from web.mcp.own_api import Asked, ask
from web.mcp.reads import job_line, post_done
from web.mcp.results import ChangeResult, Planned, PlanResult, PublishResult
from web.schemas.uploads import UploadReply

#: How long a second call waits for the first one with the same plan (seconds), and between looks.
TWIN_SECONDS = 10.0
_LOOK_SECONDS = 0.25
_LISTED = 1000


def _without(sent: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in sent.items() if name not in names}


def upload_media(given: ToUpload, sent: Mapping[str, Any]) -> Done:
    body = _without(sent, "profile_id")
    result = UploadReply(**fetch("POST", "/postiz/upload", body=body, profile_id=given.profile_id))
    text = f"Medium {result.media.id} is coming, with job {result.job.id}: use its id in media_ids"
    return Done(result=result, text=text)


def plan_posts(given: ToPlan, sent: Mapping[str, Any]) -> Done:
    body = _without(sent, "profile_id")
    profile_id = plans.choose_profile(given.profile_id)
    plan = fetch(
        "POST",
        "/postiz/bulk-publish",
        query={"dry_run": "true"},
        body=body,
        profile_id=profile_id,
    )["plan"]
    _require_faultless(plan)
    kept = plans.keep_plan(profile_id, body)
    result = PlanResult(
        plan_id=kept.id,
        expires_at=kept.expires_at,
        profile_id=profile_id,
        posts=list(islice(_planned_posts(given, plan), _LISTED)),
        total=plan["posts"],
        requires_approval=plan["requires_approval"],
        first_at=plan["first_at"],
        finishes_at=plan["finishes_at"],
        late_posts=plan["late_posts"],
        warnings=plan["warnings"],
    )
    return Done(result=result, text=_plan_text(result))


def _require_faultless(plan: Mapping[str, Any]) -> None:
    faults = [
        FieldError(field=each["field"], message=each["message"], remedy=each["remedy"])
        for row in plan["rows"]
        for each in row["errors"]
    ]
    if faults:
        message = "Nothing was planned: mend these and call plan_posts again"
        raise Refused(message, "not_publishable", faults)


def _planned_posts(given: ToPlan, plan: Mapping[str, Any]) -> Iterator[Planned]:
    for row in plan["rows"]:
        item = given.items[row["index"]]
        caption = given.caption if item.caption is None else item.caption
        media_ids = given.media_ids if item.media_ids is None else item.media_ids
        for post in row["posts"]:
            yield Planned(
                row=row["index"],
                integration_id=post["integration_id"],
                publish_at=row["publish_at"],
                content=caption if post["content"] is None else post["content"],
                media_ids=media_ids,
            )


def _plan_text(plan: PlanResult) -> str:
    lines = [f"Plan {plan.plan_id}: {count_words(plan.total, 'post')}, nothing is published yet"]
    if plan.first_at is not None and plan.finishes_at is not None:
        lines.append(f"From {plan.first_at.isoformat()} to {plan.finishes_at.isoformat()}")
    if plan.requires_approval:
        lines.append("Each waits for a person's approval once the plan is published")
    lines += [f"Warning: {each.message}" for each in plan.warnings[:5]]
    lines.append("Show it to your user, then call publish_posts with the plan_id")
    return "\n".join(lines)


def publish_posts(given: PlanId, _: Mapping[str, Any]) -> Done:
    plan = plans.load_plan(given.plan_id)
    asked = Asked(
        method="POST",
        path="/postiz/bulk-publish",
        body=plan.body,
        profile_id=plan.profile_id,
        idempotency_key=plans.idempotency_key(plan.id),
    )
    answered = ask(asked)
    until = time.monotonic() + TWIN_SECONDS
    while answered.is_under_way and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        answered = ask(asked)
    accepted = require_success(answered)
    result = PublishResult(job=accepted["job"], warnings=accepted["warnings"])
    return Done(result=result, text=f"{job_line(accepted['job'])}\nWatch it with get_job")


def edit_post(given: ToEdit, sent: Mapping[str, Any]) -> Done:
    body = _without(sent, "post_id", "id")
    return post_done(fetch("PATCH", f"/posts/{quote(given.post_id, safe='')}", body=body))


def cancel_posts(given: ToCancel, sent: Mapping[str, Any]) -> Done:
    return _change("cancel", sent, dry_run=given.dry_run)


def retry_posts(given: ToRetry, sent: Mapping[str, Any]) -> Done:
    return _change("retry", sent, dry_run=given.dry_run)


def _change(verb: str, sent: Mapping[str, Any], *, dry_run: bool) -> Done:
    query = {"dry_run": "true"} if dry_run else {}
    done = fetch("POST", f"/posts/{verb}", query=query, body=_without(sent, "dry_run"))
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
