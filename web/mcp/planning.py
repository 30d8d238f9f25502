"""The two tools that publish: a plan that is shown, and that plan, once."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from shared.db import read_clock
from shared.domain.timing.local_time import whole_second
from shared.errors import FieldError
from web.auth import current_caller
from web.mcp import plans
from web.mcp.answers import Done, Refused, count_words, fetch, find, require_success, without
from web.mcp.arguments import PlanId, ToPlan
from web.mcp.own_api import Asked, ask_once
from web.mcp.plans import KeptPlan
from web.mcp.reads import job_line
from web.mcp.results import Planned, PlanResult, PublishResult
from web.services import current_services

_PATH = "/postiz/bulk-publish"
_LISTED = 1000
#: Who publishes a plan so much later than its first time is told.
_WORTH_TELLING = timedelta(minutes=1)


def plan_posts(given: ToPlan, sent: Mapping[str, Any]) -> Done:
    profile_id = plans.choose_profile(given.profile_id)
    body = {**without(sent, "profile_id"), "schedule_date": _start_of(given, sent)}
    plan = _make_plan(profile_id, body)
    _require_faultless(plan)
    body["jitter_seed"] = plan["jitter_seed"]
    kept = plans.keep_plan(profile_id, body, _times_of(plan))
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


def _start_of(given: ToPlan, sent: Mapping[str, Any]) -> str:
    """Fixed now, so that publishing a few minutes later gives the times that are shown now."""
    if given.schedule_date is not None:
        return str(sent["schedule_date"])
    with current_services().database.reading() as session:
        return whole_second(read_clock(session)).isoformat()


def _make_plan(profile_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    query = {"dry_run": "true"}
    found = fetch("POST", _PATH, query=query, body=dict(body), profile_id=profile_id)
    plan: dict[str, Any] = found["plan"]
    return plan


def _times_of(plan: Mapping[str, Any]) -> list[str]:
    return [row["publish_at"] for row in plan["rows"] if row["publish_at"] is not None]


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
        path=_PATH,
        body=plan.body,
        profile_id=plan.profile_id,
        idempotency_key=plans.idempotency_key(plan.id),
        shown=plan.shown,
    )
    answered = ask_once(asked)
    accepted = require_success(answered)
    job = accepted["job"]
    if answered.is_replay and current_caller().may("read"):  # as it is by now
        job = find(f"/jobs/{job['id']}") or job
    result = PublishResult(job=job, warnings=accepted["warnings"])
    lines = [job_line(job), *_passed_times(plan), "Watch it with get_job"]
    return Done(result=result, text="\n".join(lines))


def _passed_times(plan: KeptPlan) -> Iterator[str]:
    passed = [at for at in plan.shown.times if at < plan.now - _WORTH_TELLING]
    if passed and not plan.is_published:
        number = f"{len(passed)} of {count_words(len(plan.shown.times), 'row')}"
        yield f"The times of {number} had passed by then: these go out at once"
