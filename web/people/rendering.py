"""Pages of forms, without scripts; each form repeats a token that another site cannot know."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from flask import Response, request
from jinja2 import Environment, Template

from shared.errors import Forbidden, InvalidRequest
from web import session_cookie
from web.http_layer import security_headers
from web.http_layer.request import is_clean

#: Of a browser that is not signed in, so that nobody signs it in as somebody else.
FORM_COOKIE = "pressroom_form"
#: As long as an approval link at most: its page may stay open for days, with a note half typed.
_FORM_SECONDS = 90 * 24 * 3600
_TEMPLATE = Environment(autoescape=True).from_string(
    (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Field:
    name: str
    label: str
    kind: str = "text"
    autocomplete: str = "off"
    is_required: bool = True
    keeps_what_was_typed: bool = False


EMAIL = Field("email", "Email", "email", "username", keeps_what_was_typed=True)
NAME = Field("name", "Name", "text", "name", keeps_what_was_typed=True)
PASSWORD = Field("password", "Password", "password", "current-password")
NEW_PASSWORD = Field("password", "New password", "password", "new-password")
#: Of the sign-in, where either email and password or a key is given.
SIGN_IN_EMAIL = replace(EMAIL, is_required=False)
SIGN_IN_PASSWORD = replace(PASSWORD, is_required=False)
KEY = Field("api_key", "Or an API key", "password", "off", is_required=False)
CODE = Field("code", "Code", "text", "one-time-code")
#: Of who puts another app in its place.
PRESENT_CODE = Field(
    "present_code", "Code of the app that you have now, or a recovery code", "text", "one-time-code"
)
#: Hidden: what an enrolment carries until its first code confirms it.
SEALED = Field("sealed", "", "hidden")


@dataclass(frozen=True)
class Link:
    path: str
    text: str


def show_page(
    title: str,
    *,
    fields: Sequence[Field] | None = None,
    button: str = "",
    lines: Sequence[str] = (),
    items: Sequence[str] = (),
    links: Sequence[Link] = (),
    image: str = "",
    image_label: str = "",
    hidden: Mapping[str, str] = MappingProxyType({}),
    problem: str = "",
    status: int = 200,
) -> Response:
    """`fields`: of a form that is sent to the page's own address; None: no form.

    `hidden`: values that the form sends too. `image`: its address.
    """
    return answer_page(
        _TEMPLATE,
        status=status,
        title=title,
        fields=fields,
        button=button,
        lines=lines,
        items=items,
        links=links,
        image=image,
        image_label=image_label,
        hidden=hidden,
        problem=problem,
        typed=_read_typed(fields or ()),
    )


def _read_typed(fields: Sequence[Field]) -> Mapping[str, str]:
    """What a form that is shown again held; secrets and codes are typed anew."""
    return {
        field.name: request.form.get(field.name, "")
        for field in fields
        if field.keeps_what_was_typed
    }


def answer_page(template: Template, *, status: int, **values: object) -> Response:
    """The template besides gets `action`, the page's own address, and `csrf`, for its forms."""
    cookie = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)
    token = session_cookie.csrf_token(cookie)
    text = template.render(action=request.path, csrf=token, **values)
    headers = {"Content-Security-Policy": security_headers.PAGE_POLICY}
    response = Response(text + "\n", status, headers, mimetype="text/html")
    session_cookie.set_cookie(response, FORM_COOKIE, cookie, seconds=_FORM_SECONDS)
    return response


def read_form(*fields: Field) -> list[str]:
    """What the form holds. Raises `Forbidden` for one that another site has sent."""
    cookie = request.cookies.get(FORM_COOKIE, "")
    if not cookie or not session_cookie.is_csrf_token(request.form.get("csrf", ""), cookie):
        raise Forbidden("This form is too old: open its page again", code="csrf")
    values = [request.form.get(field.name, "") for field in fields]
    if not all(map(is_clean, values)):
        raise InvalidRequest("The form has values that cannot be stored")
    return values
