"""Cancel and retry as their callers use them."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, update

from shared.models import Account, AccountMedia, Handover, Post, Submission
from tests.factories.files import FILES
from tests.factories.jobs import make_job, set_states
from tests.servers.api import Api
from web.http_layer import continued


def first_post(api: Api, job_id: str) -> str:
    return str(api.get(f"/jobs/{job_id}/posts").json["items"][0]["id"])


def was_released(api: Api, postiz_id: str = "in-postiz") -> None:
    """The first post was handed over under an id that is still alive."""
    with api.services.database.transaction() as session:
        post = session.scalars(select(Post).order_by(Post.id)).first()
        account = session.scalars(select(Account)).first()
        assert post is not None
        assert account is not None
        submission = Submission(
            account_id=account.id,
            profile_id=post.profile_id,
            server=account.server,
            marker_at=datetime.now(UTC),
            elements=1,
        )
        session.add(submission)
        session.flush()
        session.add(
            Handover(
                post_id=post.id,
                account_id=account.id,
                submission_id=submission.id,
                postiz_id=postiz_id,
                marker_at=submission.marker_at,
                released_at=post.publish_at,
            )
        )


def test_a_pending_post_is_cancelled_at_once(api: Api) -> None:
    post = first_post(api, make_job(api))
    reply = api.post(f"/posts/{post}/cancel", None)
    assert (reply.status_code, reply.json["state"]) == (202, "cancelled")
    assert reply.json["timeline"][-1]["event"] == "cancelled"
    assert api.post(f"/posts/{post}/cancel", None).status_code == 409


@pytest.mark.parametrize("state", ["staged", "scheduled", "draft"])
def test_what_postiz_holds_is_being_cancelled_until_it_is_deleted_there(
    api: Api, state: str
) -> None:
    post = first_post(api, make_job(api))
    set_states(api, state)
    reply = api.post(f"/posts/{post}/cancel", None)
    assert (reply.status_code, reply.json["state"]) == (202, "cancelling")


@pytest.mark.parametrize("state", ["releasing", "published", "failed"])
def test_what_can_no_longer_be_taken_back_is_a_conflict(api: Api, state: str) -> None:
    post = first_post(api, make_job(api))
    set_states(api, state)
    reply = api.post(f"/posts/{post}/cancel", None)
    assert (reply.status_code, reply.content_type) == (409, "application/problem+json")
    assert state in reply.json["detail"]


def test_a_job_is_cancelled_with_all_that_can_still_be_taken_back(api: Api) -> None:
    job = make_job(api, 3)
    set_states(api, "published", "pending", "staged")
    reply = api.post(f"/jobs/{job}/cancel", None)
    assert reply.status_code == 202
    assert reply.json["counts"] == {"published": 1, "cancelled": 1, "cancelling": 1}
    set_states(api, "published", "cancelled", "cancelled")
    assert api.post(f"/jobs/{job}/cancel", None).status_code == 202  # as asked already
    set_states(api, "published", "published", "published")
    assert api.post(f"/jobs/{job}/cancel", None).status_code == 409


def test_a_failed_post_that_was_never_released_is_retried_freely(api: Api) -> None:
    job = make_job(api)
    set_states(api, "failed", error_code="rejected_by_postiz", error_message="no")
    reply = api.post(f"/posts/{first_post(api, job)}/retry", None)
    assert (reply.status_code, reply.json["state"], reply.json["error"]) == (202, "pending", None)


def test_what_may_be_live_needs_the_callers_word(api: Api) -> None:
    job = make_job(api)
    set_states(api, "failed", error_code="outcome_unknown", error_message="nobody knows")
    was_released(api)
    post = first_post(api, job)
    for path in (f"/posts/{post}/retry", f"/jobs/{job}/retry"):
        refused = api.post(path, None)
        assert (refused.status_code, refused.json["code"]) == (409, "may_be_live")
        assert "confirm_not_published" in refused.json["detail"]
    reply = api.post(f"/posts/{post}/retry", {"confirm_not_published": True})
    assert (reply.status_code, reply.json["state"]) == (202, "pending")


def test_an_overdue_post_is_named_by_its_job_and_tried_again_on_the_callers_word(api: Api) -> None:
    job = make_job(api)
    late = {"error_code": "overdue_in_postiz", "error_message": "Its time is over"}
    set_states(api, "scheduled", **late, in_doubt=True)
    was_released(api)
    shown = api.get(f"/jobs/{job}").json
    assert (shown["state"], shown["percentage"], shown["in_doubt"]) == ("running", 0, 1)
    set_states(api, "scheduled", in_doubt=False)
    shown = api.get(f"/jobs/{job}").json
    assert (shown["state"], shown["overdue"]) == ("completed_with_errors", 1)
    progress = api.get(f"/postiz/publish/{job}/progress").json
    assert (progress["status"], progress["error_detail"]) == (shown["state"], "Its time is over")
    post = first_post(api, job)
    assert api.get(f"/posts/{post}").json["error"]["may_be_live"] is True
    for path in (f"/posts/{post}/retry", f"/jobs/{job}/retry"):
        refused = api.post(path, None)
        assert (refused.status_code, refused.json["code"]) == (409, "may_be_live")
    reply = api.post(f"/posts/{post}/retry", {"confirm_not_published": True})
    assert (reply.status_code, reply.json["state"], reply.json["error"]) == (202, "releasing", None)
    assert api.get(f"/jobs/{job}").json["state"] == "running"


def test_a_retry_without_a_postiz_says_how_to_configure_one(api: Api) -> None:
    """One post and one job are refused; among many they are counted, and the others go on."""
    job = make_job(api)
    set_states(api, "failed", error_code="rejected_by_postiz", error_message="no")
    api.call("PATCH", "/profiles/acme", json={"tts_settings": {"postiz": None}})
    post = first_post(api, job)
    for path in (f"/posts/{post}/retry", f"/jobs/{job}/retry"):
        refused = api.post(path, None)
        assert (refused.status_code, refused.json["code"]) == (400, "not_configured")
        assert "tts_settings" in refused.json["detail"]
    many = api.post("/profiles/acme/retry", None)
    assert (many.status_code, many.json["changed"]) == (202, 0)
    [why] = many.json["refused"]
    assert (why["code"], why["count"], why["post_id"]) == ("not_configured", 1, post)
    assert "/profiles/acme" in why["message"]


def test_a_word_that_is_repeated_says_nothing_of_what_happened_after_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Web died before the answer; by the time that the client asks again, the post was handed over
    once more, and may be on the network."""
    body = {"job_id": make_job(api), "confirm_not_published": True}
    unknown = {"error_code": "outcome_unknown", "error_message": "nobody knows"}
    set_states(api, "failed", **unknown)
    was_released(api)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(continued, "_end", die)
        with pytest.raises(KeyboardInterrupt):
            api.post("/posts/retry", body, headers={"Idempotency-Key": "once"})
    assert [post.state for post in api.posts()] == ["pending"]
    set_states(api, "failed", **unknown, updated_at=func.now())
    was_released(api, "in-postiz-once-more")
    again = api.post("/posts/retry", body, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json["changed"]) == (202, 0)
    assert [post.state for post in api.posts()] == ["failed"]
    another = api.post("/posts/retry", body, headers={"Idempotency-Key": "another word"})
    assert another.json["changed"] == 1


def test_a_post_whose_media_were_deleted_stops_no_other(api: Api) -> None:
    medium = api.upload(FILES.png(), profile="acme").json["media"]["id"]
    items = [{"caption": "one"}, {"caption": "two", "media_ids": [medium]}, {"caption": "three"}]
    job = make_job(api, items=items)
    set_states(api, *["failed"] * 3, error_code="rejected_by_postiz", error_message="no")
    with api.services.database.transaction() as session:
        session.execute(update(AccountMedia).values(state="uploaded"))
    assert api.call("DELETE", f"/media/{medium}").status_code == 204
    dry = api.post("/posts/retry?dry_run=true", {"job_id": job})
    assert dry.status_code == 200, dry.text
    many = api.post("/posts/retry", {"job_id": job})
    assert (many.status_code, many.json["changed"]) == (202, dry.json["would_change"]), many.text
    assert [post.state for post in api.posts()] == ["pending", "failed", "pending"]
    for refused in (many.json["refused"], dry.json["refused"]):
        [why] = refused
        assert (why["code"], why["count"]) == ("media_deleted", 1)
        assert why["post_id"] == str(api.posts()[1].id)
    alone = api.post(f"/jobs/{job}/retry", None)
    assert (alone.status_code, alone.json["code"]) == (409, "media_deleted")


def test_a_job_is_retried_with_its_failed_posts_only(api: Api) -> None:
    job = make_job(api, 2)
    set_states(api, "published", "failed")
    reply = api.post(f"/jobs/{job}/retry", None)
    assert (reply.status_code, reply.json["counts"]) == (202, {"published": 1, "pending": 1})
    assert api.post(f"/jobs/{job}/retry", None).status_code == 409


@pytest.mark.parametrize(
    "body", [{"confirm": True}, {"confirm_not_published": "perhaps"}, [], "yes"]
)
def test_a_malformed_word_is_refused(api: Api, body: object) -> None:
    job = make_job(api)
    set_states(api, "failed")
    assert api.post(f"/jobs/{job}/retry", body).status_code == 400


@pytest.mark.parametrize("path", ["/posts/999999/cancel", "/jobs/999999/retry", "/posts/x/retry"])
def test_what_does_not_exist_is_not_found(api: Api, path: str) -> None:
    assert api.post(path, None).status_code == 404
