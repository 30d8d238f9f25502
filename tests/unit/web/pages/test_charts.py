"""Small charts: what they draw, and that words are no markup."""

import re

from web.pages.charts import Part, draw_bar, draw_columns


def widths(picture: str, kind: str) -> list[float]:
    return [
        float(found) for found in re.findall(rf'class="{kind}"[^>]*? width="([\d.]+)"', picture)
    ]


def test_a_bar_is_as_long_as_its_parts_and_never_longer() -> None:
    parts = [Part(value=1, kind="well"), Part(value=2, kind="wrong")]
    assert widths(draw_bar("Done", "", parts, whole=4), "well") == [60]
    assert widths(draw_bar("Done", "", parts, whole=4), "wrong") == [120]
    assert widths(draw_bar("Done", "", parts, whole=2), "wrong") == [120], "it is cut off"
    assert widths(draw_bar("Done", "", parts, whole=0), "well") == []


def test_columns_are_high_as_the_highest_and_what_is_little_is_seen() -> None:
    drawn = draw_columns("An hour", "", [("a", 1000), ("b", 1), ("c", 0)])
    assert re.findall(r' height="([\d.]+)"><title>', drawn) == ["56", "2", "0"]
    assert draw_columns("Nothing", "", [])


def test_words_are_read_out_and_are_no_markup() -> None:
    drawn = draw_columns('<b>"x"', "worst: 3", [("<i>", 1)])
    assert 'aria-label="&lt;b&gt;&#34;x&#34;: worst: 3"' in drawn
    assert "<i>" not in drawn
    assert "style=" not in drawn
