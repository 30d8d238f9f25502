"""Webhooks: who is told of what, what they were told, and told again."""

from typing import get_args

from flask import Response
from sqlalchemy import select

from shared import db
from shared.access.visible_profiles import load_visible
from shared.models import Delivery, Webhook
from shared.webhooks import subscriptions
from web.api.webhooks import delivery_view, webhook_fields
from web.auth import current_caller, require_scope
from web.http_layer.pagination import next_cursor, page_query
from web.pages.layout import create_reader_blueprint, requested_page, show
from web.pages.profiles import OFFERED, offer_profiles
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
    own = select(Webhook).where(caller.visible.condition(Webhook))
    query = page_query(own, Webhook.id, requested_page(AT_ONCE), newest=True)
    with current_services().database.transaction() as session:
        rows = session.scalars(query).all()
        now = db.read_clock(session)
        profiles = offer_profiles(session)
        hooks = [WebhookView.model_validate(webhook_fields(row, now)) for row in rows]
    return show(
        "webhooks.html",
        title="Webhooks",
        path="/settings",
        hooks=hooks,
        events=EVENTS,
        own_profiles=sorted(caller.visible.ids or ()),
        profiles=profiles,
        most=OFFERED,
        cursor=next_cursor(rows, AT_ONCE, lambda row: row.id),
    )


@pages.get(f"{WEBHOOKS}/<webhook_id>")
def show_webhook(webhook_id: str) -> Response:
    require_scope("settings")
    visible = current_caller().visible
    with current_services().database.transaction() as session:
        row = load_visible(session, Webhook, webhook_id, visible)
        own = select(Delivery).where(subscriptions.visible_deliveries_condition(row, visible))
        query = page_query(own, Delivery.id, requested_page(AT_ONCE), newest=True)
        rows = session.scalars(query).all()
        return show(
            "webhook.html",
            title=f"Webhook {row.id}",
            path="/settings",
            hook=WebhookView.model_validate(webhook_fields(row, db.read_clock(session))),
            events=EVENTS,
            deliveries=[delivery_view(DeliveryView, each) for each in rows],
            cursor=next_cursor(rows, AT_ONCE, lambda each: each.id),
        )
