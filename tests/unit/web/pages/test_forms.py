"""What a form does while its script is not there yet."""

import re
from pathlib import Path

import web

TEMPLATES = sorted(Path(next(iter(web.__path__))).rglob("*.html"))
FORM = re.compile(r"<form\b[^>]*")


def test_no_form_puts_what_was_typed_into_an_address() -> None:
    """Without a method it would be a GET: of keys and secrets too."""
    forms = [form for path in TEMPLATES for form in FORM.findall(path.read_text())]
    assert len(forms) > 20
    assert [form for form in forms if "method=" not in form] == []
    sent_by_scripts = [form for form in forms if "data-call" in form or "data-postiz" in form]
    assert len(sent_by_scripts) > 10
    assert [form for form in sent_by_scripts if 'method="dialog"' not in form] == []
