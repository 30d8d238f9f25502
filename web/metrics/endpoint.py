"""`GET /metrics`: what all processes of this machine counted, and the state of the work."""

import hmac
import time

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shared import metrics
from shared.errors import Unauthorized
from web.metrics.collector import State
from web.services import Services


def install(app: Flask, services: Services) -> None:
    registry = CollectorRegistry()
    registry.register(metrics.make_collector(services.settings.metrics_dir))
    registry.register(State(services))

    def show_metrics() -> Response:
        _check_token(services)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    app.add_url_rule("/metrics", view_func=show_metrics, endpoint="metrics")
    app.before_request(_start_timer)
    app.after_request(_observe_response)


def _check_token(services: Services) -> None:
    """Open, unless PRESSROOM_METRICS_TOKEN is set: the metrics name accounts only by number."""
    token = services.settings.metrics_token
    if token is None:
        return
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    if not hmac.compare_digest(given, token.get_secret_value().encode()):
        raise Unauthorized("Send PRESSROOM_METRICS_TOKEN: Authorization: Bearer TOKEN")


def _start_timer() -> None:
    g.began_at = time.monotonic()


def _observe_response(response: Response) -> Response:
    """By the rule of the path, never by the path itself; paths without a rule count together."""
    route = request.url_rule.rule if request.url_rule else "unknown"
    took = time.monotonic() - g.get("began_at", time.monotonic())
    method = request.method if request.method in _METHODS else "other"
    metrics.HTTP.labels(method, route, str(response.status_code)).observe(took)
    return response


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
