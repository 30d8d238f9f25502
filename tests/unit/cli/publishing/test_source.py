"""From folders and CSV files to rows, with the line of each mistake."""

import os
from pathlib import Path

import pytest

from cli.failures import CliFailure
from cli.publishing.rows import PostRow
from cli.publishing.source import read_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("clip-10.mp4", "clip-2.MP4", "logo.png", "notes.pdf", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "clip-2.txt").write_bytes("\ufeffHällo\nthere\n".encode())
    return tmp_path


def said(rows: list[PostRow]) -> list[tuple[str, str]]:
    return [(row.name, row.caption) for row in rows]


def test_a_folder_is_read_in_the_order_of_its_numbers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_rows(folder, None, ["a", "b"])
    assert said(rows) == [("clip-2.MP4", "Hällo\nthere"), ("clip-10.mp4", ""), ("logo.png", "")]
    assert rows[0].channels == ["a", "b"]
    told = capsys.readouterr().err
    assert "notes.pdf" in told
    assert "2 of 3 have no caption" in told


def test_captions_of_a_csv_come_first_and_in_its_order(folder: Path) -> None:
    table = folder / "captions.csv"
    table.write_text('File,Caption\nlogo.png,"One, with a comma"\nclip-10.mp4,Ten\n')
    assert said(read_rows(folder, table, ["a"])) == [
        ("logo.png", "One, with a comma"),
        ("clip-10.mp4", "Ten"),
        ("clip-2.MP4", "Hällo\nthere"),
    ]


def test_a_clip_that_a_csv_names_by_another_path_has_one_row(folder: Path) -> None:
    table = folder / "captions.csv"
    table.write_text(f"file,caption\n{folder}/logo.png,One\n../{folder.name}/clip-10.mp4,Ten\n")
    relative = Path(os.path.relpath(folder))
    assert said(read_rows(relative, table, ["a"])) == [
        ("logo.png", "One"),
        ("clip-10.mp4", "Ten"),
        ("clip-2.MP4", "Hällo\nthere"),
    ]
    table.write_text(f"file,caption\nlogo.png,One\n{folder}/logo.png,Two\n")
    with pytest.raises(CliFailure, match="line 3: logo"):
        read_rows(folder, table, ["a"])


def test_a_csv_has_a_row_for_each_post(folder: Path) -> None:
    table = folder / "posts.csv"
    table.write_text(
        "file;caption;channels;publish_at;caption_x;first_comment\n"
        '"clip-2.MP4|logo.png";Two;a|b;2031-08-01T09:00;Short;First!\n'
        ";;;;;\n"
        "logo.png;Again;;;;\n"
    )
    whole, plain = read_rows(table, None, ["c"])
    assert ([path.name for path in whole.files], whole.channels) == (
        ["clip-2.MP4", "logo.png"],
        ["a", "b"],
    )
    assert (whole.publish_at, whole.first_comment) == ("2031-08-01T09:00", "First!")
    assert whole.captions_per_platform == {"x": "Short"}
    assert (plain.channels, plain.publish_at, plain.place) == (["c"], None, f"{table}, line 4")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,caption\ngone.mp4,A\n", "line 2: there is no"),
        ("file,caption\nlogo.png,A\nlogo.png,B\n", "line 3: logo.png has a row already"),
        ("file,text\n", "no column 'caption'"),
        ("file,caption,when\n", "unknown column 'when'"),
        ("file,caption,file\n", "'file' twice"),
        ("file,caption\nlogo.png,A,B\n", "line 2: more cells than columns"),
        ('file,caption\nlogo.png,"A\n', "is not CSV"),
        ("file,caption\n,A\n", "line 2: no file is named"),
        (f"file,caption\n{'long ' * 100}.mp4,A\n", "line 2: there is no .*long long"),
        ("file,caption\n", "has no rows"),
    ],
)
def test_a_mistake_is_named_with_its_place(folder: Path, text: str, complaint: str) -> None:
    table = folder / "captions.csv"
    table.write_text(text)
    with pytest.raises(CliFailure, match=complaint):
        read_rows(folder, table, ["a"])


def test_what_is_not_there_is_said(folder: Path) -> None:
    for source, captions, channels in [
        (folder / "gone", None, ["a"]),
        (folder, folder / "gone.csv", ["a"]),
        (folder, None, []),
    ]:
        with pytest.raises(CliFailure):
            read_rows(source, captions, channels)
    (folder / "latin.csv").write_bytes("file,caption\nlogo.png,\xe4\n".encode("latin-1"))
    with pytest.raises(CliFailure, match="is not UTF-8"):
        read_rows(folder / "latin.csv", None, ["a"])
