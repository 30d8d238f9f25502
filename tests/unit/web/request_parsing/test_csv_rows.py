"""A bulk as CSV: what a spreadsheet writes becomes the items that JSON would have."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import FieldError, InvalidRequest
from shared.intake.schemas import MAX_ITEMS
from web.request_parsing.csv_rows import (
    MAX_COLUMNS,
    MAX_HEADER,
    MAX_ROW,
    job_fields,
    read_table,
)

HEADER = "media_ids,caption,integration_ids,schedule_date,caption_x,external_id"
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def items(text: str, encoding: str = "utf-8") -> list[dict[str, Any]]:
    return list(read_table(text.encode(encoding)).items)


def faults(raw: bytes) -> list[tuple[str, str]]:
    """Of malformed rows, with their lines."""
    table = read_table(raw)
    return [(one.field, one.message) for row in table.faults.values() for one in table.named(row)]


def refused(raw: bytes) -> tuple[str, list[tuple[str, str]]]:
    with pytest.raises(InvalidRequest) as caught:
        read_table(raw)
    return caught.value.message, [(one.field, one.message) for one in caught.value.fields]


def test_a_row_becomes_an_item_with_lists_and_captions() -> None:
    rows = f'{HEADER}\n1|2,"Hi, ""you""",int-a | int-b,2031-01-01T09:00:00Z,Short,e1\n'
    assert items(rows) == [
        {
            "media_ids": ["1", "2"],
            "caption": 'Hi, "you"',
            "integration_ids": ["int-a", "int-b"],
            "schedule_date": "2031-01-01T09:00:00Z",
            "captions_per_platform": {"x": "Short"},
            "external_id": "e1",
        }
    ]


def test_an_empty_cell_a_missing_one_and_an_empty_line_are_nothing() -> None:
    table = read_table(f"{HEADER}\n\n1,,,\n,two\n".encode())
    assert table.items == [{"media_ids": ["1"]}, {"caption": "two"}]
    assert table.lines == [3, 4]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_are_as_programs_write_them(end: str, mark: str) -> None:
    assert items(f"{mark}caption,external_id{end}a,1{end}b,2") == [
        {"caption": "a", "external_id": "1"},
        {"caption": "b", "external_id": "2"},
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_that_makes_known_names_of_the_header(delimiter: str) -> None:
    header = delimiter.join(["caption_x", "media_ids", '"caption"'])
    assert items(f'{header}\nshort{delimiter}1{delimiter}"a;b,c"\n') == [
        {"captions_per_platform": {"x": "short"}, "media_ids": ["1"], "caption": "a;b,c"}
    ]


def test_a_single_column_of_captions_keeps_its_semicolons() -> None:
    assert items("caption\nfirst; then second\n") == [{"caption": "first; then second"}]


def test_a_row_of_several_lines_is_known_by_its_first() -> None:
    table = read_table(b'caption,external_id\n"one\ntwo",1\nthree,2\n')
    assert table.items[0]["caption"] == "one\ntwo"
    assert table.lines == [2, 4]
    found = [
        FieldError(field="items.1.caption", message="is bad"),
        FieldError(field="x", message="y"),
    ]
    assert [one.message for one in table.named(found)] == ["line 4: is bad", "y"]


def test_settings_are_json() -> None:
    text = 'settings,caption_x\n"{""x"": {""who_can_reply_post"": ""everyone""}}",hi\n'
    [item] = items(text)
    assert item["settings"] == {"x": {"who_can_reply_post": "everyone"}}
    for cell in ("{", "NaN", '"""\\u0000"""', "[" * 5000):
        [(field, message)] = faults(f"caption,settings\na,\nb,{cell}\n".encode())
        assert field == "items.1.settings"
        assert message.startswith("line 3: ")


def test_unknown_columns_are_all_named_and_so_are_doubles() -> None:
    message, found = refused(b"caption,titel,caption_,,caption,media\nhello\n")
    assert [field for field, _ in found] == ["titel", "caption_", "", "media", "caption"]
    assert "titel" in message


def test_there_are_at_most_200_columns() -> None:
    names = [f"caption_{number}" for number in range(MAX_COLUMNS + 1)]
    row = ",".join("a" for _ in names[1:])
    assert len(items(",".join(names[1:]) + "\n" + row)[0]["captions_per_platform"]) == MAX_COLUMNS
    message, _ = refused(",".join(names).encode())
    assert "201 columns" in message
    message, _ = refused(b"caption_" + b"a" * MAX_HEADER)
    assert "The first line" in message


def test_a_row_is_refused_before_it_fills_the_memory() -> None:
    for row in (b"," * MAX_ROW, b'"\n",' * (MAX_ROW // 3)):
        message, _ = refused(b"caption\nfirst\n" + row + b"\nlast\n")
        assert "line 3" in message
        assert f"{MAX_ROW} characters" in message
    most = b"caption,external_id\n" + b"," * (MAX_ROW - 1) + b"\n"
    assert len(read_table(most * 1).faults) == 1


def test_an_error_repeats_the_beginning_of_a_long_name() -> None:
    _, [(field, _)] = refused(b"caption," + b"x" * 50_000)
    assert len(field) == 100


def test_a_row_with_too_many_cells_is_refused_by_its_line() -> None:
    found = faults(b"caption,external_id\na,1\nb,2,3\nc,4\nd,5,6,7\n")
    assert [field for field, _ in found] == ["items.1", "items.3"]
    assert found[0][1] == "line 3: has 3 cells, but the header names 2 columns"


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "name the columns"),
        (b"\n\n", "name the columns"),
        ("caption\nna\xefve\n".encode("latin-1"), "line 2"),
        ("caption\na\n".encode("utf-16"), "UTF-8"),
        (b"caption\na\0b\n", "NUL"),
        (b'caption,external_id\n"a"b,1\n', "line 2"),
        (b'caption\n"never closed\n', "not CSV"),
        (b"caption\n" + b"a" * 200_000 + b"\n", "line 2"),
    ],
)
def test_what_is_no_csv_of_ours_is_refused_with_the_reason(raw: bytes, word: str) -> None:
    message, _ = refused(raw)
    assert word in message


def test_reading_stops_once_there_are_too_many_rows() -> None:
    assert len(items("caption\n" + "a\n" * (MAX_ITEMS * 3))) == MAX_ITEMS + 1


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_what_the_csv_module_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("caption", "caption_x"), *rows])
    table = read_table(file.getvalue().encode())
    expected = []
    for caption, short in rows:
        item: dict[str, Any] = {"caption": caption} if caption.strip() else {}
        if short.strip():
            item["captions_per_platform"] = {"x": short}
        expected.append(item)
    assert table.items == expected


def test_the_jobs_own_fields_come_from_the_query() -> None:
    query = {
        "integration_ids": "int-a|int-b",
        "slots": "09:00|18:30",
        "daily_cap_per_integration": "3",
        "schedule_interval_minutes": "0.5",
        "save_as_draft": "true",
        "caption_x": "short",
        "settings": '{"x": {}}',
        "timezone": "Europe/Berlin",
        "late_policy": "hold",
        "jitter_seed": "seven",
    }
    assert job_fields(query) == {
        "integration_ids": ["int-a", "int-b"],
        "slots": ["09:00", "18:30"],
        "daily_cap_per_integration": 3,
        "schedule_interval_minutes": 0.5,
        "save_as_draft": True,
        "captions_per_platform": {"x": "short"},
        "settings": {"x": {}},
        "timezone": "Europe/Berlin",
        "late_policy": "hold",
        "jitter_seed": "seven",  # for the model to refuse
    }


@pytest.mark.parametrize(
    "query",
    [{"items": "[]"}, {"dryrun": "1"}, {"settings": "{"}, {"caption": "\0"}, {"caption_": "a"}],
)
def test_a_query_of_another_kind_is_refused_by_its_names(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        job_fields(query)
    assert [one.field for one in caught.value.fields] == list(query)


@given(st.binary() | st.text('caption,;\t"\n\r|_x {}[]\0é').map(str.encode))
def test_whatever_is_sent_is_a_table_or_refused_with_a_reason(raw: bytes) -> None:
    try:
        table = read_table(b"caption,settings,media_ids\n" + raw)
    except InvalidRequest as error:
        assert error.message
    else:
        assert len(table.items) == len(table.lines)
        assert set(table.faults) <= set(range(len(table.items)))


@given(st.binary())
def test_a_header_of_anything_is_refused_with_a_reason(raw: bytes) -> None:
    try:
        read_table(raw + b"\nvalue\n")
    except InvalidRequest as error:
        assert error.message


def test_columns_of_parts_are_a_thread_in_their_order() -> None:
    table = read_table(b'thread_2,caption,thread_1,first_comment\nlast, one ,"first, ",\n,,,x\n')
    assert table.items == [
        {"caption": " one ", "thread": [{"caption": "first, "}, {"caption": "last"}]},
        {"first_comment": "x"},
    ]
    for name in ("thread_0", "thread_10", "thread_", "first_comments"):
        with pytest.raises(InvalidRequest):
            read_table(f"caption,{name}\na,b\n".encode())


def test_a_thread_as_json_and_as_columns_is_refused() -> None:
    table = read_table(b'thread;thread_1\n[{"caption":"a"}];b\n')
    assert [fault.field for fault in table.faults[0]] == ["items.0.thread"]
