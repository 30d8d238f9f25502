"""Webhooks: which events they get, a secret that is shown once, and the log of deliveries."""

from datetime import datetime
from typing import Any, TypeVar

from flask import Response
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared import db
from shared.access.visible_profiles import keep_visible_profiles, load_visible
from shared.errors import FieldError, InvalidRequest
from shared.models import Delivery, Webhook
from shared.net import outbound_route
from shared.net.outbound_route import Route
from shared.webhooks import outbox, subscriptions
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller, requested_profiles
from web.http_layer.idempotency import Reply, answer_once, find_answer
from web.http_layer.pagination import PageQuery, next_cursor, page_query
from web.paths import PREFIX
from web.schemas.common import IdPath, Page
from web.schemas.webhooks import (
    DeliveriesQuery,
    DeliveryView,
    NewWebhook,
    PatchWebhook,
    WebhookView,
    WebhookWithSecret,
    WholeDelivery,
)
from web.services import current_services

api = create_blueprint("webhooks", "Being told of what happens", read="settings", write="settings")


View = TypeVar("View", bound=BaseModel)


class DeliveryPath(IdPath):
    delivery_id: str


def webhook_fields(row: Webhook, now: datetime) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "url": row.url,
        "events": row.events,
        "profile_ids": row.profile_ids,
        "enabled": row.enabled,
        "held": subscriptions.why_held(row, current_services().box),
        "disabled_at": row.disabled_at,
        "disabled_reason": row.disabled_reason,
        "failures": row.failures,
        "failing_since": row.failing_since,
        "old_secret_until": subscriptions.old_secrets_until(row, now),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _webhook_view(session: Session, row: Webhook) -> WebhookView:
    return WebhookView.model_validate(webhook_fields(row, db.read_clock(session)))


def _view_with_secret(session: Session, row: Webhook, secret: str) -> WebhookWithSecret:
    fields = webhook_fields(row, db.read_clock(session))
    return WebhookWithSecret.model_validate({**fields, "secret": secret})


@api.post("/webhooks", responses={201: WebhookWithSecret, **problem_responses(409, 422)})
def create_webhook(body: NewWebhook) -> Response:
    """Have an address told of events; the secret that signs them is shown this once"""
    if (earlier := find_answer()) is not None:
        return earlier
    _check_url(body.url)
    return answer_once(lambda session: _insert_webhook(session, body))


def _insert_webhook(session: Session, body: NewWebhook) -> Reply:
    of_request = requested_profiles(session).ids
    wanted = body.profile_ids or (None if of_request is None else sorted(of_request))
    bound_to = keep_visible_profiles(session, wanted, current_caller().visible)
    secret = subscriptions.new_secret()
    row = Webhook(
        url=body.url,
        events=sorted(set(body.events)),
        profile_ids=bound_to,
        secret=current_services().box.seal(secret),
        old_secrets=[],
    )
    session.add(row)
    session.flush()
    subscriptions.require_room(session, row)
    session.refresh(row)
    headers = {"Location": f"{PREFIX}/webhooks/{row.id}"}
    return Reply(body=_view_with_secret(session, row, secret), status=201, headers=headers)


def _check_url(url: str) -> None:
    """Raises `InvalidRequest`. The address is checked again at each delivery."""
    try:
        address = outbound_route.require_address(url)
        outbound_route.require_allowed(address, Route.from_settings(current_services().settings))
    except InvalidRequest as error:
        error.fields = (FieldError(field="url", message=error.message, code=error.code),)
        raise


@api.get("/webhooks", responses={200: Page[WebhookView]})
def list_webhooks(query: PageQuery) -> Response:
    """List the webhooks, without their secrets"""
    with current_services().database.transaction() as session:
        wanted = select(Webhook).where(
            current_caller().visible.condition(Webhook),
            requested_profiles(session).concerned_condition(Webhook),
        )
        rows = session.scalars(page_query(wanted, Webhook.id, query)).all()
        now = db.read_clock(session)
    items = [WebhookView.model_validate(webhook_fields(row, now)) for row in rows]
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    return Reply(body=Page[WebhookView](items=items, next_cursor=onward)).response()


@api.get("/webhooks/<id>", responses={200: WebhookView})
def get_webhook(path: IdPath) -> Response:
    """Read a webhook: what it is told, and how it fares"""
    with current_services().database.transaction() as session:
        shown = _webhook_view(session, _require_visible_webhook(session, path.id))
    return Reply(body=shown).response()


@api.patch("/webhooks/<id>", responses={200: WebhookView, **problem_responses(409, 422)})
def patch_webhook(path: IdPath, body: PatchWebhook) -> Response:
    """Change a webhook, or switch it off or on"""
    if body.url is not None:
        _check_url(body.url)
    with current_services().database.transaction() as session:
        row = _require_visible_webhook(session, path.id, lock=True)
        _apply_changes(session, row, body)
        row.updated_at = func.now()
        session.flush()
        session.refresh(row)
        shown = _webhook_view(session, row)
    current_services().waker.deliver()
    return Reply(body=shown).response()


def _apply_changes(session: Session, row: Webhook, body: PatchWebhook) -> None:
    row.url = body.url or row.url
    if body.events is not None:
        row.events = sorted(set(body.events))
    if "profile_ids" in body.model_fields_set:
        visible = current_caller().visible
        row.profile_ids = keep_visible_profiles(session, body.profile_ids, visible)
        session.flush()
        subscriptions.require_room(session, row)
        subscriptions.drop_foreign(session, row)
    if body.enabled is not None:
        subscriptions.set_enabled(row, enabled=body.enabled)


@api.delete("/webhooks/<id>", responses={204: None})
def delete_webhook(path: IdPath) -> Response:
    """Delete a webhook and its log: nothing more is sent to it"""
    database = current_services().database
    with database.transaction() as session:
        webhook = _require_visible_webhook(session, path.id, lock=True)
        subscriptions.set_enabled(webhook, enabled=False)  # from here on no event waits for it
    while subscriptions.delete_some_deliveries(database, webhook.id):
        pass
    with database.transaction() as session:
        session.delete(_require_visible_webhook(session, path.id, lock=True))
    return Response(status=204)


@api.post("/webhooks/<id>/rotate", responses={200: WebhookWithSecret})
def rotate_secret(path: IdPath) -> Response:
    """Make a new secret, shown this once; for 24 h the old one signs too"""
    with current_services().database.transaction() as session:
        _require_visible_webhook(session, path.id)
    return answer_once(lambda session: _replace_secret(session, path.id))


def _replace_secret(session: Session, webhook_id: str) -> Reply:
    row = _require_visible_webhook(session, webhook_id, lock=True)
    secret = subscriptions.replace_secret(row, current_services().box, db.read_clock(session))
    row.updated_at = func.now()
    session.flush()
    session.refresh(row)
    return Reply(body=_view_with_secret(session, row, secret))


@api.post("/webhooks/<id>/test", responses={202: DeliveryView, **problem_responses(409)})
def send_test(path: IdPath) -> Response:
    """Send a test, `webhook.test`, whatever its events are; one that waits is tried at once"""
    with current_services().database.transaction() as session:
        _require_visible_webhook(session, path.id)
    reply = answer_once(lambda session: _enqueue_test(session, path.id))
    current_services().waker.deliver()
    return reply


def _enqueue_test(session: Session, webhook_id: str) -> Reply:
    webhook = _require_visible_webhook(session, webhook_id, lock=True)
    subscriptions.require_enabled(webhook)
    row = subscriptions.find_waiting_test(session, webhook)
    if row is None:
        row = outbox.enqueue_test(session, webhook)
    else:
        subscriptions.requeue_delivery(session, webhook, row)
    return Reply(body=delivery_view(DeliveryView, row), status=202)


@api.get("/webhooks/<id>/deliveries", responses={200: Page[DeliveryView]})
def list_deliveries(path: IdPath, query: DeliveriesQuery) -> Response:
    """List what a webhook was told, or is to be told, with each attempt; the newest first"""
    with current_services().database.transaction() as session:
        webhook = _require_visible_webhook(session, path.id)
        wanted = select(Delivery).where(
            subscriptions.visible_deliveries_condition(webhook, current_caller().visible),
            *_query_conditions(query),
        )
        rows = session.scalars(page_query(wanted, Delivery.id, query, newest=True)).all()
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    items = [delivery_view(DeliveryView, row) for row in rows]
    return Reply(body=Page[DeliveryView](items=items, next_cursor=onward)).response()


def _query_conditions(query: DeliveriesQuery) -> list[Any]:
    filters = {Delivery.state: query.state, Delivery.event: query.event}
    return [column == value for column, value in filters.items() if value is not None]


@api.get("/webhooks/<id>/deliveries/<delivery_id>", responses={200: WholeDelivery})
def get_delivery(path: DeliveryPath) -> Response:
    """Read a delivery with its payload"""
    with current_services().database.transaction() as session:
        row = _require_delivery(
            session, _require_visible_webhook(session, path.id), path.delivery_id
        )
    return Reply(body=delivery_view(WholeDelivery, row)).response()


@api.post(
    "/webhooks/<id>/deliveries/<delivery_id>/redeliver",
    responses={202: DeliveryView, **problem_responses(409)},
)
def redeliver(path: DeliveryPath) -> Response:
    """Deliver it again, under the same id"""
    with current_services().database.transaction() as session:
        webhook = _require_visible_webhook(session, path.id)
        row = _require_delivery(session, webhook, path.delivery_id)
        subscriptions.requeue_delivery(session, webhook, row)
    current_services().waker.deliver()
    return Reply(body=delivery_view(DeliveryView, row), status=202).response()


def delivery_view(model: type[View], row: Delivery) -> View:
    payload = {"type": row.event, "timestamp": outbox.format_utc(row.created_at), "data": row.data}
    return model.model_validate(
        {
            "id": str(row.id),
            "message_id": row.message_id,
            "event": row.event,
            "state": row.state,
            "attempts": row.attempts,
            "next_at": row.next_at if row.state == "pending" else None,
            "tried": row.tried,
            "created_at": row.created_at,
            "delivered_at": row.delivered_at,
            "payload": payload,
        }
    )


def _require_visible_webhook(session: Session, webhook_id: str, *, lock: bool = False) -> Webhook:
    return load_visible(session, Webhook, webhook_id, current_caller().visible, lock=lock)


def _require_delivery(session: Session, webhook: Webhook, delivery_id: str) -> Delivery:
    own = subscriptions.visible_deliveries_condition(webhook, current_caller().visible)
    return load_visible(session, Delivery, delivery_id, current_caller().visible, also=(own,))
