"""Small charts as SVG, each with words that are read out instead of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

#: In units of the picture, which is as wide as its place.
_WIDTH, _HEIGHT, _GAP, _BAR = 240, 56, 1, 14


@dataclass(frozen=True, kw_only=True)
class Part:
    """Of a bar. `kind`: a class of pages.css: well, wrong, going, rest."""

    value: float
    kind: str


def draw_columns(title: str, description: str, values: Sequence[tuple[str, float]]) -> Markup:
    """A column for each label and value; the highest fills the picture."""
    highest = max((value for _, value in values), default=0) or 1
    step = _WIDTH / max(1, len(values))
    columns = Markup("").join(
        Markup(
            '<rect class="column" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
        ).format(
            _round(number * step),
            _round(_HEIGHT - _height_of(value, highest)),
            _round(max(1.0, step - _GAP)),
            _round(_height_of(value, highest)),
            label,
        )
        for number, (label, value) in enumerate(values)
    )
    line = Markup('<path class="axis" d="M0 {0}H{1}"/>').format(_HEIGHT + 1, _WIDTH)
    return _picture(title, description, columns + line, height=_HEIGHT + 2)


def _height_of(value: float, highest: float) -> float:
    """What is more than nothing is seen."""
    return max(2.0, _HEIGHT * value / highest) if value > 0 else 0.0


def draw_bar(title: str, description: str, parts: Sequence[Part], *, whole: float) -> Markup:
    """Parts one after the other on a bar as long as `whole`."""
    drawn, at = Markup('<rect class="rest" width="{}" height="{}"/>').format(_WIDTH, _BAR), 0.0
    for part in parts:
        width = min(_WIDTH - at, _WIDTH * part.value / whole) if whole > 0 else 0.0
        if width > 0:
            drawn += Markup('<rect class="{}" x="{}" width="{}" height="{}"/>').format(
                part.kind, _round(at), _round(width), _BAR
            )
        at += width
    return _picture(title, description, drawn, height=_BAR)


def _picture(title: str, description: str, content: Markup, *, height: int) -> Markup:
    words = f"{title}: {description}" if description else title
    frame = Markup(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none" width="{}" height="{}">{}</svg>'
    )
    return frame.format(escape(words), _WIDTH, height, _WIDTH, height, content)


def _round(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
