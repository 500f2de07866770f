"""Other tools and the offline form: what they are given, and what is read from what they give back."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from parley.annotate.exchange import GIVE, TAKE, argilla, label_studio, potato
from parley.annotate.exchange.fields import questions
from parley.annotate.exchange.offline import write_form
from parley.annotate.forms import form_of
from parley.errors import ParleyError
from parley.records.annotation import Annotation, Marks
from tests import browser
from tests.annotating import item, marks, some

Sent = dict[str, str]


def as_label_studio(path: Path, name: str, user: object, sent: Sent) -> None:
    result: list[Any] = [
        {"from_name": field, "to_name": "talk", "type": "textarea", "value": {"text": [value]}}
        if field.endswith("-why")
        else {"from_name": field, "to_name": "talk", "type": "number", "value": {"number": int(value)}}
        for field, value in sent.items()
    ]
    done = {"completed_by": user, "was_cancelled": False, "lead_time": 61.5, "result": result}
    skipped = {"completed_by": 9, "was_cancelled": True, "result": []}
    path.write_text(json.dumps([{"id": 1, "data": {"item": name}, "annotations": [done, skipped]}]))


def as_argilla(path: Path, name: str, user: object, sent: Sent) -> None:
    responses = {field: [{"value": value, "user_id": user}] for field, value in sent.items()}
    path.write_text(json.dumps([{"id": name, "fields": {}, "responses": responses}, {"id": "i9", "responses": {}}]))


def as_flat_argilla(path: Path, name: str, user: object, sent: Sent) -> None:
    fields = dict.fromkeys(("scenario", "first", "second", "talk"), "…")
    of_user = {"responses": sent, "responses.users": dict.fromkeys(sent, user)}
    of_user["responses.status"] = dict.fromkeys(sent, "submitted")
    answers = {f"{field}.{kind}": [value] for kind, by in of_user.items() for field, value in by.items()}
    path.write_text(json.dumps([{"id": name, **fields, **answers}, {"id": "i9", **fields, **dict.fromkeys(answers)}]))


def as_potato(path: Path, name: str, user: object, sent: Sent) -> None:
    answers = {field: {"text_box": v} if field.endswith("-why") else {v: True} for field, v in sent.items()}
    row = {"user_id": user, "instance_id": name, "label_annotations": answers, "span_annotations": []}
    path.write_text(json.dumps(row) + "\n\n")


def as_potato_table(path: Path, name: str, user: object, sent: Sent) -> None:
    pl.DataFrame([{"instance_id": name, "user_id": str(user), **sent}]).write_parquet(path)


def as_form(path: Path, name: str, user: object, sent: Sent) -> None:
    path.write_text(json.dumps({"parley": "x", "rater": user, "given": [{"item": name, "seconds": 2, "fields": sent}]}))


WAYS: list[tuple[str, str, Callable[[Path, str, object, Sent], None]]] = [
    ("label-studio", "out.json", as_label_studio),
    ("argilla", "out.json", as_argilla),
    ("argilla", "out.json", as_flat_argilla),
    ("potato", "out.jsonl", as_potato),
    ("potato", "out.parquet", as_potato_table),
    ("form", "out.json", as_form),
]


def both() -> tuple[Marks, Marks]:
    return marks(7, secret=-10, relationship=-5, reason="half <b>&"), marks(0, reason="nothing")


@pytest.mark.parametrize(("tool", "file", "written"), WAYS)
def test_what_a_tool_gives_back_is_read(tmp_path: Path, tool: str, file: str, written: Any) -> None:
    written(tmp_path / file, "i01", "ann@example.org", form_of(both()))
    (found,) = TAKE[tool](tmp_path / file)
    assert (found.item, found.marks) == ("i01", both()) and not found.simulated
    if tool != "form":  # nobody's address is kept
        assert "ann" not in found.rater and found.rater.startswith(tool.replace("-", "_"))
    written(tmp_path / file, "i02", "ann@example.org", form_of(both()))
    assert TAKE[tool](tmp_path / file)[0].rater == found.rater


@pytest.mark.parametrize(("tool", "file", "written"), WAYS)
def test_a_mark_outside_its_range_is_told(tmp_path: Path, tool: str, file: str, written: Any) -> None:
    written(tmp_path / file, "i01", "ann", {**form_of(both()), "s1-goal": "12"})
    with pytest.raises(
        ParleyError, match=r"out\.\w+: the answers of \S+ about the item 'i01': s1-goal is outside 0 to 10"
    ):
        TAKE[tool](tmp_path / file)


@pytest.mark.parametrize(("tool", "file", "written"), WAYS)
def test_a_missing_mark_is_told_and_left_out_where_a_tool_gives_out_what_is_only_begun(
    tmp_path: Path, tool: str, file: str, written: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = form_of(both())
    del sent["s0-secret"]
    written(tmp_path / file, "i01", "ann", sent)
    if tool in ("potato", "argilla"):
        assert TAKE[tool](tmp_path / file) == []
        assert f"{file}: 1 begun and not finished, left out" in capsys.readouterr().err
    else:
        with pytest.raises(ParleyError, match="a score is missing; mend or leave them out"):
            TAKE[tool](tmp_path / file)


@pytest.mark.parametrize(("tool", "file", "written"), WAYS)
def test_a_file_of_another_kind_is_told(tmp_path: Path, tool: str, file: str, written: Any) -> None:
    path = tmp_path / file
    with pytest.raises(ParleyError, match=r"no such file|cannot be read"):
        TAKE[tool](path)
    for text in ("{", "[1]", '{"a": 1}', '[{"id": 1}]'):
        path.write_text(text)
        with pytest.raises(ParleyError, match=r"out\.\w+(:1)?: "):
            TAKE[tool](path)


@pytest.mark.parametrize("tool", GIVE)
def test_what_a_tool_is_given_asks_for_all_and_tells_nothing(tmp_path: Path, tool: str) -> None:
    paths = GIVE[tool](some(3)[0], tmp_path)
    text = "".join(path.read_text() for path in paths)
    assert all(f"{question.name}-why" in text for question in questions())
    assert all(word in text for word in ("i00", "i02", "You want $60", "failed an exam", "Deal, $50."))
    assert not any(word in text for word in ("bc_sr", "partner", "policy"))


def test_the_interface_of_label_studio_is_xml_with_a_number_a_score() -> None:
    tags = ElementTree.fromstring(label_studio.interface())
    numbers = {tag.get("name"): (tag.get("min"), tag.get("max")) for tag in tags.iter("Number")}
    assert numbers == {question.name: (str(question.low), str(question.high)) for question in questions()}
    assert {tag.get("toName") for tag in tags if tag.get("toName")} <= {tag.get("name") for tag in tags}


def test_the_settings_of_argilla_have_unique_labels_and_the_fields_of_its_records(tmp_path: Path) -> None:
    settings_path, records_path = argilla.write([item("i1")], tmp_path)
    settings, (record,) = json.loads(settings_path.read_text()), json.loads(records_path.read_text())
    assert {field["name"] for field in settings["fields"]} == set(record["fields"])
    labels = {q["name"]: [o["value"] for o in q["settings"].get("options", [])] for q in settings["questions"]}
    assert labels["s0-secret"] == [str(score) for score in range(-10, 1)] and len(labels) == 28
    assert all(len(set(values)) == len(values) for values in labels.values())


def test_what_potato_shows_is_escaped(tmp_path: Path) -> None:
    config, data = potato.write([item("i1", scenario="<script>alert(1)</script>")], tmp_path)
    assert "<script>" not in json.loads(data.read_text())["text"]
    schemes = yaml.safe_load(config.read_text())["annotation_schemes"]
    assert len({scheme["name"] for scheme in schemes}) == len(schemes) == 28
    # Potato shows the name of a label without its dashes, so each has a text of its own.
    (secret,) = (scheme["labels"] for scheme in schemes if scheme["name"] == "s0-secret")
    assert [(one["name"], one["displayed_label"]) for one in secret][::5] == [("-10", "−10"), ("-5", "−5"), ("0", "0")]


@given(scores=st.lists(st.integers(0, 10), min_size=14, max_size=14))
def test_any_marks_come_back_from_every_tool(tmp_path_factory: pytest.TempPathFactory, scores: list[int]) -> None:
    folder = tmp_path_factory.mktemp("any")
    sent = {q.name: str(q.low + score) for q, score in zip(questions(), scores, strict=True)}
    found: list[Annotation] = []
    for tool, file, written in WAYS:
        written(folder / file, "i01", 3 if tool != "form" else "r001", sent)
        found += TAKE[tool](folder / file)
    assert all(form_of(one.marks).items() >= sent.items() for one in found) and len(found) == len(WAYS)
    shutil.rmtree(folder)


def test_items_that_a_form_holds_are_kept_from_others(tmp_path: Path) -> None:
    from tests.annotating import study_in

    study, clock = study_in(tmp_path, 3, raters=1)
    names = [name for name, _ in study.raters.invite(2)]
    held = study.work.reserve(names[0], 2, 3600 * 24)
    clock.now += 3600 * 20
    other = study.work.current(names[1])
    assert other is not None and other.item.id not in {one.id for one in held} and len(held) == 2
    study.work.take_in(Annotation(item=held[0].id, rater=names[0], marks=both(), seconds=9))
    assert [one.item for one in study.work.annotations()] == [held[0].id]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.chromium() as found:
        yield found


def test_the_form_works_from_a_file_without_a_network(tmp_path: Path, chromium: Any) -> None:
    path = tmp_path / "form.html"
    write_form([item("i00", scenario="A </script><b>sale</b>."), item("i01")], "r004", "Rate & tell", path)
    window = chromium.new_context(offline=True, accept_downloads=True)
    page, errors = window.new_page(), []
    page.on("console", lambda said: errors.append(said.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    page.get_by_text("Conversation 1").click()
    first = page.locator('form[data-item="i00"]')
    for name, value in form_of(both()).items():
        if name.endswith("-why"):
            first.locator(f'[name="{name}"]').fill(value)
        else:
            first.locator(f'[name="{name}"][value="{value}"]').check(force=True)
    page.get_by_text("1 of 2 conversations are rated.").wait_for()
    # The sliders are the app's.
    start, end = (first.locator(f'[name="s0-goal"][value="{score}"]') for score in (2, 9))
    start.drag_to(end, force=True)
    assert end.is_checked() and first.get_by_role("group", name="Goal of Nora Lind 9").count() == 1
    start.drag_to(first.locator('[name="s0-goal"][value="7"]'), force=True)
    page.reload()
    page.get_by_text("1 of 2 conversations are rated.").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the file").click()
    download.value.save_as(tmp_path / "saved.json")
    (found,) = TAKE["form"](tmp_path / "saved.json")
    assert (found.item, found.rater, found.marks) == ("i00", "r004", both())
    assert errors == [] and page.evaluate(
        "document.querySelectorAll('[id]').length === new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size"
    )
    window.close()
