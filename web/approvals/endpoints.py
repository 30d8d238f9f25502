"""Approve and reject posts, and make links for people who have no key."""

from collections.abc import Callable

from flask import Response, request
from sqlalchemy.orm import Session

from shared.access.visible_profiles import load_visible
from shared.approvals import decisions, links
from shared.domain.timing.local_time import in_utc
from shared.errors import Conflict
from shared.models import ApprovalLink, Job, Post
from shared.posts.post_queries import PostFilter
from web.api import control
from web.api.resource import create_blueprint, problem_responses
from web.approvals.schemas import (
    Approval,
    ApprovalLinks,
    ApprovalLinkView,
    CreatedApprovalLink,
    JobApproval,
    NewApprovalLink,
    Rejection,
)
from web.auth import KEY, current_caller
from web.http_layer.idempotency import Reply, answer_once
from web.http_layer.optional_body import body_or_defaults, optional_body
from web.paths import PREFIX
from web.schemas.common import IdPath
from web.schemas.jobs import JobView, PostView
from web.serializers.rows import location_header, post_list, read_job_view
from web.services import current_services

api = create_blueprint("approvals", "Posts that a person has to approve", write="approve")


@api.post(
    "/jobs/<id>/approve",
    responses={202: JobView, **problem_responses(409)},
    openapi_extensions=optional_body(JobApproval),
)
def approve_job(path: IdPath) -> Response:
    """Let all posts of a job go out that wait for approval: as they are now, or as of a moment

    Those of which the channel is not known yet go on waiting.
    """
    as_of = body_or_defaults(JobApproval).as_of
    ours = current_services()
    with ours.database.transaction() as session:
        job = _require_visible_job(session, path.id)
    wanted = PostFilter(visible=current_caller().visible, job_id=job.id)
    changed = decisions.approve_matching_posts(
        ours.database,
        wanted,
        by=_name_caller(),
        as_of=None if as_of is None else in_utc(as_of),
    )
    if not changed.posts:
        seen = "" if as_of is None else " as you saw them: look at it again"
        message = f"The job has no posts that can be approved{seen}"
        raise Conflict(message, code=decisions.NOT_WAITING)
    control.wake_accounts(changed.account_ids)
    with ours.database.transaction() as session:
        shown = read_job_view(session, job)
    return Reply(body=shown, status=202, headers=location_header(job)).response()


@api.post(
    "/posts/<id>/approve",
    responses={202: PostView, **problem_responses(409)},
    openapi_extensions=optional_body(Approval),
)
def approve_post(path: IdPath) -> Response:
    """Let a post go out that waits for approval; an edit afterwards asks anew"""
    revision = body_or_defaults(Approval).revision
    return _decide(
        path.id,
        lambda session, post: decisions.approve_post(
            session, post, by=_name_caller(), revision=revision
        ),
    )


@api.post(
    "/posts/<id>/reject",
    responses={202: PostView, **problem_responses(409)},
    openapi_extensions=optional_body(Rejection),
)
def reject_post(path: IdPath) -> Response:
    """Cancel a post that waits for approval, with a note; edited and retried, it asks anew"""
    body = body_or_defaults(Rejection)
    return _decide(
        path.id,
        lambda session, post: decisions.reject_post(
            session, post, by=_name_caller(), note=body.note, revision=body.revision
        ),
    )


def _decide(post_id: str, decide: Callable[[Session, Post], None]) -> Response:
    with current_services().database.transaction() as session:
        post = load_visible(session, Post, post_id, current_caller().visible)
        decide(session, post)
        [shown] = post_list(session, [post])
    current_services().waker.stage(post.account_id)
    return Reply(body=shown, status=202).response()


def _name_caller() -> str:
    caller = current_caller()
    return f"the key {caller.name!r}" if caller.kind == KEY else caller.name


@api.post(
    "/jobs/<id>/approval-links",
    responses={201: CreatedApprovalLink, **problem_responses(409, 422)},
    openapi_extensions=optional_body(NewApprovalLink),
)
def create_approval_link(path: IdPath) -> Response:
    """Make a link with which anybody who has it decides about the posts of a job; shown this once

    It opens a page that needs no sign-in. It works for 7 days if nothing else is said.
    """
    body = body_or_defaults(NewApprovalLink)
    return answer_once(lambda session: _insert_link(session, path.id, body))


def _insert_link(session: Session, job_id: str, body: NewApprovalLink) -> Reply:
    job = _require_visible_job(session, job_id)
    link, token = links.create_link(
        session,
        job,
        name=body.name,
        expires_at=body.expires_at,
        latest=current_caller().expires_at,
    )
    base = current_services().settings.public_url or request.url_root.rstrip("/")
    shown = CreatedApprovalLink(**_link_view(link).model_dump(), url=f"{base}{links.PATH}{token}")
    headers = {"Location": f"{PREFIX}/approval-links/{link.id}"}
    return Reply(body=shown, status=201, headers=headers)


def _link_view(link: ApprovalLink) -> ApprovalLinkView:
    return ApprovalLinkView(
        id=str(link.id),
        job_id=str(link.job_id),
        profile_id=link.profile_id,
        name=link.name,
        expires_at=link.expires_at,
        revoked_at=link.revoked_at,
        opened=link.opened,
        decided=link.decided,
        last_used_at=link.last_used_at,
        created_at=link.created_at,
    )


@api.get("/jobs/<id>/approval-links", responses={200: ApprovalLinks})
def list_approval_links(path: IdPath) -> Response:
    """List a job's links, those that ended too, with how often each was used"""
    with current_services().database.transaction() as session:
        found = links.list_links(session, _require_visible_job(session, path.id))
    return Reply(body=ApprovalLinks(items=[_link_view(link) for link in found])).response()


@api.delete("/approval-links/<id>", responses={204: None})
def revoke_approval_link(path: IdPath) -> Response:
    """End a link at once; its page then says so"""
    visible = current_caller().visible
    with current_services().database.transaction() as session:
        links.revoke_link(session, load_visible(session, ApprovalLink, path.id, visible, lock=True))
    return Response(status=204)


def _require_visible_job(session: Session, job_id: str) -> Job:
    return load_visible(session, Job, job_id, current_caller().visible)
