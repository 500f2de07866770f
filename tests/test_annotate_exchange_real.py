"""Files that the tools themselves wrote: after raters had gone through what they are given, on running servers of theirs
(Label Studio 1.23.2, Potato 2.12.1), or with the tool's own classes (Argilla 2.8.0)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from parley.annotate.exchange import TAKE
from parley.annotate.exchange.fields import Question, questions, rater_of
from parley.annotate.forms import form_of
from tests.annotating import ROOT

FOLDER = ROOT / "tests/fixtures/annotate"

#: What a rater entered: the score and the reason of each question, by its number.
Entered = Callable[[int, Question], tuple[int, str]]


def with_reasons(number: int, asked: Question) -> tuple[int, str]:
    return asked.low + number * 3 % 11, f'reason {number} – ünï <b>"q"</b>'


def with_a_reason_of_two_lines_and_one_left_out(number: int, asked: Question) -> tuple[int, str]:
    return asked.high - number * 2 % 11, {0: "two\nlines", 1: ""}.get(number, f"added {number}")


def changed_afterwards(number: int, asked: Question) -> tuple[int, str]:
    score, reason = with_a_reason_of_two_lines_and_one_left_out(number, asked)
    return asked.low if number < 3 else score, reason


def otherwise(number: int, asked: Question) -> tuple[int, str]:
    return asked.low + number * 5 % 11, f"ben {number}"


def without_reasons(number: int, asked: Question) -> tuple[int, str]:
    return asked.high - number % 3, ""


def sent(entered: Entered) -> dict[str, str]:
    """What a rater entered, by field."""
    by_field: dict[str, str] = {}
    for number, asked in enumerate(questions()):
        score, reason = entered(number, asked)
        by_field |= {asked.name: str(score), f"{asked.name}-why": reason}
    return by_field


GIVEN: list[tuple[str, str, dict[tuple[str, object], Entered], str]] = [
    (  # i01 was skipped
        "label-studio",
        "label_studio.json",
        {("i00", 1): with_reasons, ("i00", 2): otherwise, ("i02", 1): with_a_reason_of_two_lines_and_one_left_out},
        "",
    ),
    *(
        (  # somebody began i01, and left
            "potato",
            file,
            {
                ("i00", "ann@example.org"): with_reasons,
                ("i01", "ann@example.org"): changed_afterwards,
                ("i00", "ben"): without_reasons,
            },
            "1 begun and not finished, left out",
        )
        for file in ("potato.jsonl", "potato.parquet")
    ),
    (  # of i01 there is a draft, and an answer with all scores that was discarded
        "argilla",
        "argilla.json",
        {
            ("i00", "00000000-0000-0000-0000-000000000001"): with_reasons,
            ("i00", "00000000-0000-0000-0000-000000000002"): with_a_reason_of_two_lines_and_one_left_out,
        },
        "",
    ),
]


@pytest.mark.parametrize(("tool", "file", "entered", "told"), GIVEN)
def test_ratings_come_back_from_a_tool_as_they_were_entered(
    tool: str, file: str, entered: dict[tuple[str, object], Entered], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {(one.item, one.rater): form_of(one.marks) for one in TAKE[tool](FOLDER / file)}
    name = tool.replace("-", "_")
    assert found == {(item, rater_of(name, user)): sent(how) for (item, user), how in entered.items()}
    assert told in capsys.readouterr().err


def test_label_studio_says_how_long_a_rating_took() -> None:
    assert [one.seconds for one in TAKE["label-studio"](FOLDER / "label_studio.json")] == [6.169, 3.897, 4.117]


def test_answers_of_argilla_count_only_if_they_were_submitted(tmp_path: Path) -> None:
    records = json.loads((FOLDER / "argilla.json").read_text())
    for record in records:
        for key in record:
            if key.endswith(".status") and record[key]:
                record[key] = ["submitted"] * len(record[key])
    (tmp_path / "all.json").write_text(json.dumps(records))
    assert len(TAKE["argilla"](tmp_path / "all.json")) == 3  # the discarded one has all its scores
