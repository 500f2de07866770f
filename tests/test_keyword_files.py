"""Reading a column of a published table: every form, and every fault with its file and line."""

from pathlib import Path

import pytest

from parley.errors import ParleyError
from parley.exchange.keywords.column import read_column
from tests import keyword_files as files


def texts(path: Path, column: str) -> list[str]:
    return [text for _, text in read_column(path, column)]


def test_each_source_is_read_in_its_published_form(tmp_path: Path) -> None:
    assert texts(files.social_chemistry(tmp_path / "s.tsv", "one", "two"), "situation") == ["one", "two"]
    assert texts(files.norm_bank(tmp_path / "n.csv", "yell, then leave", "eat"), "behavior") == [
        "yell, then leave",
        "eat",
    ]
    for name in ("i.jsonl", "i.parquet"):
        assert texts(files.social_iqa(tmp_path / name, "Ash ran.", "Kim «sat»."), "context") == [
            "Ash ran.",
            "Kim «sat».",
        ]


def test_another_column_may_be_taken(tmp_path: Path) -> None:
    assert texts(files.social_chemistry(tmp_path / "s.tsv", "one"), "rot") == ["the rule of one"]


def test_plain_lines_are_a_column_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("one\ntwo, three\n")
    assert list(read_column(tmp_path / "list.txt", "whatever")) == [(1, "one"), (2, "two, three")]


def test_quotes_hold_separators_and_line_ends_and_a_cell_is_named_by_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text('\ufeffsetting,behavior\nbar,"drink,\nthen sing"\n\nbar,"say ""no"""\n')
    assert list(read_column(tmp_path / "n.csv", "behavior")) == [(2, "drink,\nthen sing"), (5, 'say "no"')]


def test_a_cell_without_text_is_empty(tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text('{"context": null}\n\n{"context": "x"}\n')
    assert list(read_column(tmp_path / "i.jsonl", "context")) == [(1, ""), (3, "x")]


BAD = [
    ("n.csv", "a,behavior\n1,2\n3\n", "n.csv:3: has 1 fields where the header has 2; mend or delete the line"),
    ("n.csv", "a,behavior\n1,2,3\n", "n.csv:2: has 3 fields where the header has 2; mend or delete the line"),
    ("n.csv", "a,behaviour\n1,2\n", "n.csv:1: no column is called 'behavior'; there are: a, behaviour"),
    ("n.csv", "", "n.csv:1: no column is called 'behavior'; there are: none"),
    ("n.tsv", "a,behavior\n1,2\n", "n.tsv:1: no column is called 'behavior'; there are: a,behavior"),
    ("n.csv", 'a,behavior\n1,2\n1,"open\n1,2\n', "n.csv:3: a quote is never closed; mend or delete the line"),
    ("n.csv", f"a,behavior\n1,{'x' * 200_000}\n", "n.csv:2: cannot be read (field larger than field limit (131072))"),
    ("n.jsonl", '{"behavior": "x"}\n{"behavior": \n', "n.jsonl:2: not JSON ("),
    ("n.jsonl", '{"behaviour": "x"}\n', "n.jsonl:1: no key is called 'behavior'; there are: behaviour"),
    ("n.jsonl", "[1]\n", "n.jsonl:1: no key is called 'behavior'; there are: none"),
    ("n.jsonl", '{"behavior": 3}\n', "n.jsonl:1: behavior is 3, not a text; mend or delete the line"),
    ("n.parquet", "PAR1", "n.parquet: not a Parquet file ("),
    ("n.xls", "x", "n.xls: cannot be read by its name; it must end in .tsv, .csv, .jsonl, .parquet, .txt"),
]


@pytest.mark.parametrize(("name", "content", "told"), BAD, ids=[told[:50] for _, _, told in BAD])
def test_a_fault_is_one_line_with_its_place(name: str, content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ParleyError) as raised:
        list(read_column(tmp_path / name, "behavior"))
    said = str(raised.value).removeprefix(f"{tmp_path}/")
    assert said.startswith(told) and "\n" not in said


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"n\.csv: no such file; correct the path"):
        list(read_column(tmp_path / "n.csv", "behavior"))
    (tmp_path / "n.csv").write_bytes(b"a,behavior\n1,\xff\n")
    with pytest.raises(
        ParleyError, match=r"n\.csv: not UTF-8 text \(invalid start byte at byte \d+\); save it as UTF-8"
    ):
        list(read_column(tmp_path / "n.csv", "behavior"))
