"""The description of the API: /openapi.json, and at /docs a page to read and try it."""

from flask import Response, jsonify, redirect
from flask_openapi3.openapi import OpenAPI
from flask_openapi3_swagger.plugins import RegisterPlugin  # type: ignore[import-untyped]
from werkzeug.wrappers import Response as AnyResponse


def install(app: OpenAPI) -> None:
    app.add_url_rule("/openapi.json", view_func=lambda: _spec(app), endpoint="spec")
    # its scripts lie beside it, at /swagger, and are found from /docs too
    app.register_blueprint(RegisterPlugin.register(doc_url="openapi.json"))
    app.add_url_rule("/docs", view_func=app.view_functions["swagger.swagger"], endpoint="docs")
    app.add_url_rule("/", view_func=_home, endpoint="home")


def _spec(app: OpenAPI) -> Response:
    return jsonify(app.api_doc)


def _home() -> AnyResponse:
    return redirect("/docs")
