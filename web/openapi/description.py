"""The description of the API: /openapi.json, and a page at /docs/api to read and try it."""

from pathlib import Path
from typing import Any

from flask import Response, jsonify
from flask_openapi3.openapi import OpenAPI
from flask_openapi3_swagger.plugins import RegisterPlugin  # type: ignore[import-untyped]

from web import auth
from web.http_layer import idempotency, security_headers

_PAGE, _SCRIPT, _STYLE = (
    (Path(__file__).parent / name).read_text(encoding="utf-8")
    for name in ("docs.html", "docs.js", "docs.css")
)

#: Resources that are not about one profile, or name it in their path.
_WITHOUT_PROFILE = frozenset({"profiles", "credentials", "keys", "users", "session"})
_PROFILE = "The profile; a key that is bound to one needs none. Lists span all without it"
_ONCE = "The same key with the same request gets the same answer, and does nothing twice (24 h)"


def add_docs_routes(app: OpenAPI) -> None:
    """Call it after all endpoints are registered."""
    description = _complete_description(app.api_doc)
    app.add_url_rule(
        "/openapi.json", view_func=lambda: _description_response(description), endpoint="openapi"
    )
    # the library's own page has its script in itself, which no browser runs here
    app.config["SWAGGER_HTML_STRING"] = _PAGE
    app.register_blueprint(RegisterPlugin.register(doc_url="openapi.json"))
    app.add_url_rule("/docs/api", view_func=_docs_page, endpoint="docs")
    app.add_url_rule("/docs.js", view_func=_docs_script, endpoint="docs.js")
    app.add_url_rule("/docs.css", view_func=_docs_style, endpoint="docs.css")


def _complete_description(description: dict[str, Any]) -> dict[str, Any]:
    """Adds the headers that all endpoints of a kind accept."""
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if "security" not in operation:
                del operation["responses"]["400"]  # every endpoint gets it, but these take no input
            elif not _WITHOUT_PROFILE & set(operation["tags"]):
                _add_header(operation, auth.PROFILE_HEADER, _PROFILE)
            if method == "post" and "{" not in path:
                _add_header(operation, idempotency.HEADER, _ONCE)
    return description


def _add_header(operation: dict[str, Any], name: str, about: str) -> None:
    header = {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}
    operation["parameters"] = [*operation.get("parameters", []), header]


def _description_response(description: dict[str, Any]) -> Response:
    return jsonify(description)


def _docs_page() -> Response:
    policy = {"Content-Security-Policy": security_headers.DOCS_POLICY}
    return Response(_PAGE, mimetype="text/html", headers=policy)


def _docs_script() -> Response:
    return Response(_SCRIPT, mimetype="text/javascript")


def _docs_style() -> Response:
    return Response(_STYLE, mimetype="text/css")
