"""The pages of the documentation with a line about each: for people, and for programs."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from web.docs import sources
from web.pages import static_files

_TEMPLATE = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).from_string((Path(__file__).parent / "listing.html").read_text(encoding="utf-8"))


def list_for_people() -> str:
    """The page in place of the site where it was not built."""
    return _TEMPLATE.render(
        summary=sources.read_summary(),
        sections=sources.read_sections(),
        pages=sources.read_pages(),
        static=static_files.addresses(),
    )


def list_for_programs() -> str:
    """As https://llmstxt.org describes it."""
    return "\n".join(_write_lines()) + "\n"


def _write_lines() -> Iterator[str]:
    yield from ("# Pressroom", "", f"> {sources.read_summary()}")
    for section in sources.read_sections():
        yield from ("", f"## {section.title}", "")
        for name, about in section.pages.items():
            yield f"- [{sources.read_pages()[name].title}](/docs/{name}): {about}"
    yield from ("", "## The API", "")
    yield "- [OpenAPI](/openapi.json): every call, with its fields and answers"
