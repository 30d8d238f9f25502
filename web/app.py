"""Sets up a web process: `create_app` makes everything once, after the fork."""

from flask import request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from shared.config import Settings, read_settings
from shared.log import configure_logging
from web import audit_trail, auth, health, rate_limits, services
from web.api import (
    accounts,
    audit,
    bulk_edits,
    control,
    credentials,
    events,
    jobs,
    keys,
    postiz,
    posts,
    profiles,
    publishing,
    schedules,
    uploads,
    webhooks,
)
from web.api.resource import SECURITY_SCHEMES
from web.approvals import endpoints as approvals
from web.approvals import page as approval_page
from web.calendar_feed import endpoints as calendar_links
from web.calendar_feed import feed as calendar_feed
from web.docs import endpoints as documentation
from web.http_layer import body_drain, problems, request_logging, security_headers
from web.http_layer.request import ApiRequest
from web.mcp import endpoint as mcp
from web.media import files, library
from web.metrics import endpoint
from web.openapi import description
from web.pages import accounts as account_pages
from web.pages import calendar as calendar_pages
from web.pages import channels, compose, home, people, static_files
from web.pages import jobs as job_pages
from web.pages import keys as key_pages
from web.pages import media as media_pages
from web.pages import posts as post_pages
from web.pages import profiles as profile_pages
from web.pages import schedules as schedule_pages
from web.pages import webhooks as webhook_pages
from web.paths import PREFIX
from web.people import account_page, openid_pages, own_session, sign_in_pages, users
from web.postiz_front import blueprint, routes
from web.services import Services
from web.uploads import direct, resumable

RESOURCES = (
    profiles,
    credentials,
    postiz,
    uploads,
    resumable,
    direct,
    library,
    files,
    publishing,
    jobs,
    events,
    posts,
    bulk_edits,
    control,
    approvals,
    calendar_links,
    accounts,
    schedules,
    keys,
    webhooks,
    users,
    own_session,
    audit,
)


PAGES = (
    sign_in_pages,
    account_page,
    openid_pages,
    approval_page,
    home,
    job_pages,
    post_pages,
    calendar_pages,
    channels,
    profile_pages,
    account_pages,
    schedule_pages,
    key_pages,
    webhook_pages,
    people,
    compose,
    media_pages,
    static_files,
    documentation,
)


def create_app(settings: Settings | None = None, parts: Services | None = None) -> OpenAPI:
    """`parts`: the services of the process; a test may give its own. The caller closes them."""
    if parts is None:
        settings = settings or read_settings()
        configure_logging(settings.log_format)
        parts = Services.start(settings)
    app = OpenAPI(
        "pressroom",
        info=Info(title="Pressroom", version="0.1.0", description="Publishes through Postiz."),
        security_schemes=SECURITY_SCHEMES,
        validation_error_status=400,
        validation_error_model=problems.Problem,
        validation_error_callback=problems.refuse_invalid,
        doc_ui=False,
        static_folder=None,
    )
    if proxies := parts.settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    app.request_class = ApiRequest
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # it would redirect to the host that the request names
    request_logging.install(app)
    rate_limits.install(app)
    services.install_services(app, parts)
    endpoint.install(app, parts)
    problems.register_error_handlers(app)
    body_drain.install(app)
    security_headers.install(app)
    app.before_request(_authenticate_api_request)
    audit_trail.install(app, parts)
    _add_routes(app)
    description.add_docs_routes(app)
    return app


def _add_routes(app: OpenAPI) -> None:
    for module in RESOURCES:
        app.register_api(module.api)
    app.register_api(health.api)
    app.register_api(calendar_feed.api)
    app.register_blueprint(mcp.pages)
    for module in PAGES:
        app.register_blueprint(module.pages)
    for front, prefix, name in routes.fronts():
        app.register_blueprint(front, url_prefix=prefix, name=name)


def _authenticate_api_request() -> None:
    """Before any answer about a path, even that it does not exist."""
    if request.path.startswith(f"{PREFIX}/"):
        auth.authenticate_request()
    elif blueprint.is_for_front():
        blueprint.authenticate_request()
