"""Webhooks: who is told of what, what they were told, and told again."""

from typing import get_args

from flask import Response, request
from sqlalchemy import select

from shared import db
from shared.access.visible_profiles import load_visible
from shared.models import Delivery, Webhook
from shared.webhooks import subscriptions
from web.api.webhooks import delivery_view, webhook_fields
from web.auth import current_caller, require_scope
from web.http_layer.pagination import decode_number, next_cursor
from web.pages.layout import create_reader_blueprint, show
from web.schemas.webhooks import DeliveryView, EventName, WebhookView
from web.services import current_services

pages = create_reader_blueprint("webhook_pages")

WEBHOOKS = "/webhooks"
AT_ONCE = 50
EVENTS = get_args(EventName)


@pages.get(WEBHOOKS)
def show_webhooks() -> Response:
    require_scope("settings")
    caller = current_caller()
    query = select(Webhook).where(caller.visible.condition(Webhook)).order_by(Webhook.id.desc())
    if (before := decode_number(request.args.get("cursor"))) is not None:
        query = query.where(Webhook.id < before)
    with current_services().database.transaction() as session:
        rows = session.scalars(query.limit(AT_ONCE)).all()
        now = db.read_clock(session)
        hooks = [WebhookView.model_validate(webhook_fields(row, now)) for row in rows]
    return show(
        "webhooks.html",
        title="Webhooks",
        path="/settings",
        hooks=hooks,
        events=EVENTS,
        own_profiles=sorted(caller.visible.ids or ()),
        cursor=next_cursor(rows, AT_ONCE, lambda row: row.id),
    )


@pages.get(f"{WEBHOOKS}/<webhook_id>")
def show_webhook(webhook_id: str) -> Response:
    require_scope("settings")
    visible, before = current_caller().visible, decode_number(request.args.get("cursor"))
    with current_services().database.transaction() as session:
        row = load_visible(session, Webhook, webhook_id, visible)
        query = select(Delivery).where(subscriptions.visible_deliveries_condition(row, visible))
        if before is not None:
            query = query.where(Delivery.id < before)
        rows = session.scalars(query.order_by(Delivery.id.desc()).limit(AT_ONCE)).all()
        return show(
            "webhook.html",
            title=f"Webhook {row.id}",
            path="/settings",
            hook=WebhookView.model_validate(webhook_fields(row, db.read_clock(session))),
            events=EVENTS,
            deliveries=[delivery_view(DeliveryView, each) for each in rows],
            cursor=next_cursor(rows, AT_ONCE, lambda each: each.id),
        )
