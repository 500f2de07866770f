"""The study's file: what is saved stays, whatever happens; what is deleted is gone; what is damaged is told."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parley.annotate.files import export, read_items, read_key
from parley.annotate.study import Settings, Study
from parley.annotate.work import Entries
from parley.errors import ParleyError
from parley.records.annotation import annotations_frame
from parley.records.frames import read_parquet, write_parquet
from parley.records.jsonl import write_jsonl
from parley.records.rating import KEYS
from tests.annotating import ROOT, annotation, item, key_of, marks, some, study_in


def entries(goal: int = 6, other: int = 4) -> Entries:
    sides = (marks(goal), marks(other))
    return {(seat, key): (sides[seat][key].score, "so it was") for seat in (0, 1) for key in KEYS}


def rate(study: Study, rater: str, goal: int = 6, other: int = 4) -> str:
    """Rate the next item; its name."""
    assignment = study.work.current(rater)
    assert assignment is not None
    study.clock.now += 100  # type: ignore[attr-defined]
    assert study.work.submit(assignment.id, rater, entries(goal, other))
    return assignment.item.id


def names(study: Study, count: int) -> list[str]:
    return [name for name, _ in study.raters.invite(count)]


# -- rating ------------------------------------------------------------------------------------------------------------


def test_a_draft_is_there_again_after_the_file_was_closed(tmp_path: Path) -> None:
    study, clock = study_in(tmp_path)
    (rater,) = names(study, 1)
    first = study.work.current(rater)
    assert first is not None and first.entries == {}
    study.work.save(first.id, rater, {(0, "goal"): (7, "half"), (1, "secret"): (None, "no number yet")})
    study.close()
    again = Study(tmp_path / "study.sqlite", clock=clock).work.current(rater)
    assert again is not None and again.item == first.item and again.first == first.first
    assert again.entries == {(0, "goal"): (7, "half"), (1, "secret"): (None, "no number yet")}


def test_what_is_handed_in_does_not_change_any_more(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    (rater,) = names(study, 1)
    assignment = study.work.current(rater)
    assert assignment is not None
    assert study.work.submit(assignment.id, rater, entries(6))
    assert not study.work.submit(assignment.id, rater, entries(1))
    assert not study.work.save(assignment.id, rater, entries(1))
    assert study.work.annotations()[0].marks[0]["goal"].score == 6


def test_nobody_writes_into_the_draft_of_another(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    mine, other = names(study, 2)
    assignment = study.work.current(mine)
    assert assignment is not None
    assert not study.work.save(assignment.id, other, entries())
    assert not study.work.submit(assignment.id, other, entries())
    assert not study.work.submit(999, mine, entries())


def test_a_score_that_is_missing_cannot_be_handed_in(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    (rater,) = names(study, 1)
    assignment = study.work.current(rater)
    assert assignment is not None
    with pytest.raises(ValueError, match="missing"):
        study.work.submit(assignment.id, rater, {**entries(), (1, "goal"): (None, "why")})
    assert study.work.annotations() == []


def test_every_item_gets_two_raters_and_none_sees_one_twice(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 6)
    seen: dict[str, list[str]] = {name: [] for name in names(study, 3)}
    for _ in range(4):
        for rater, mine in seen.items():
            if study.work.current(rater) is not None:
                mine.append(rate(study, rater))
    assert sorted(name for mine in seen.values() for name in mine) == sorted([f"i0{n}" for n in range(6)] * 2)
    assert all(len(set(mine)) == len(mine) == 4 for mine in seen.values())
    assert study.work.open_places() == 0


def test_a_rater_stops_at_the_share_that_was_set(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 6, per_rater=2)
    (rater,) = names(study, 1)
    rate(study, rater)
    rate(study, rater)
    assert study.work.current(rater) is None


def test_an_item_that_was_left_goes_to_others_and_who_comes_back_loses_nothing(tmp_path: Path) -> None:
    study, clock = study_in(tmp_path, 1, raters=1)
    left, other = names(study, 2)
    mine = study.work.current(left)
    assert mine is not None
    study.work.save(mine.id, left, {(0, "goal"): (3, "so far")})
    assert study.work.current(other) is None
    clock.now += study.work.idle + 1
    assert rate(study, other) == mine.item.id
    back = study.work.current(left)
    assert back is not None and back.entries[0, "goal"] == (3, "so far")
    assert study.work.submit(back.id, left, entries())
    assert len(study.work.annotations()) == 2


def test_raters_who_differ_bring_in_a_third_and_no_fourth(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 1)
    raters = names(study, 4)
    rate(study, raters[0], 10)
    assert study.work.current(raters[1]) is not None
    rate(study, raters[1], 0)
    assert [one.doubtful for one in study.work.standings()] == [True]
    rate(study, raters[2], 5)
    assert study.work.current(raters[3]) is None
    assert [one.flags for one in study.work.annotations()] == [("apart",), ("apart",), ()]


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_half_finished_study_is_exported_as_far_as_it_goes(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 4)
    with pytest.raises(ParleyError, match="nothing is rated yet"):
        export(study, key_of(some(4)[1]), tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
    first, second = names(study, 2)
    rate(study, first)
    draft = study.work.current(second)
    assert draft is not None
    study.work.save(draft.id, second, entries())
    assert export(study, key_of(some(4)[1]), tmp_path / "out.parquet") == 1
    table = read_parquet(tmp_path / "out.parquet")
    assert table["seat"].to_list() == [0, 1] and table["rater"].unique().to_list() == [first]
    assert set(table["player"]) | set(table["partner"]) >= {"partner"} and not table["simulated"].any()


def test_people_read_what_is_exported(tmp_path: Path) -> None:
    from parley.evaluation.people import read_people

    given = [annotation("r1"), annotation("r2", marks=(marks(8), marks(4)))]
    write_parquet(tmp_path / "r.parquet", annotations_frame(given, key_of(some(1)[1])))
    assert read_people(tmp_path / "r.parquet").select("seat", "goal").rows() == [(0, 7.0), (1, 4.0)]


def test_an_item_that_the_key_does_not_have_is_named() -> None:
    with pytest.raises(ParleyError, match="r001 rated the item 'i77', which is not among the 2 of the key"):
        annotations_frame([annotation(name="i77")], key_of(some(2)[1]))


def test_items_and_key_must_fit(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "items.jsonl", [item("i00"), item("new")])
    write_parquet(tmp_path / "key.parquet", key_of(some(1)[1]))
    with pytest.raises(ParleyError, match="the key does not have the item 'new'"):
        read_items(tmp_path / "items.jsonl", read_key(tmp_path / "key.parquet"))
    write_parquet(tmp_path / "key.parquet", key_of(some(1)[1]).drop("players"))
    with pytest.raises(ParleyError, match="a key has the column 'players'"):
        read_key(tmp_path / "key.parquet")


def test_a_study_goes_on_with_more_items_but_not_with_others(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 3)
    assert study.add(*some(5)) == 2
    assert study.add(*some(5)) == 0
    with pytest.raises(ParleyError, match="begun with other items \\(3 of its 5"):
        study.add(*some(2))
    assert len(study.work.items()) == 5


def test_annotations_from_elsewhere_are_taken_in_once(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 2)
    assert study.work.take_in(annotation("paper-1", "i01"))
    assert not study.work.take_in(annotation("paper-1", "i01"))
    with pytest.raises(ParleyError, match="has rated the item 'i01' here already, and otherwise"):
        study.work.take_in(annotation("paper-1", "i01", marks=(marks(1), marks(1))))
    with pytest.raises(ParleyError, match="the item 'i99', which this study does not have"):
        study.work.take_in(annotation("paper-1", "i99"))
    assert [(one.rater, one.item) for one in study.work.annotations()] == [("paper-1", "i01")]


def test_simulated_raters_and_people_do_not_share_a_study(tmp_path: Path) -> None:
    study_in(tmp_path, settings=Settings(simulated=True))[0].close()
    with pytest.raises(ParleyError, match="a study of simulated raters"):
        Study(tmp_path / "study.sqlite")


# -- a person's data ---------------------------------------------------------------------------------------------------


def test_a_person_is_deleted_to_the_last_byte_and_the_items_go_back(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 2)
    study.database.copy()
    gone, stays = names(study, 2)
    assignment = study.work.current(gone)
    assert assignment is not None
    told = {**entries(), (0, "goal"): (6, "Ich heisse Rumpelstilzchen")}
    study.work.submit(assignment.id, gone, told)
    study.database.copy()
    rate(study, stays)
    data = study.raters.data(gone)
    assert "Rumpelstilzchen" in str(data) and data["items"][0]["item"] == assignment.item.id
    assert study.raters.delete(gone) == 1
    assert [one.rater for one in study.work.annotations()] == [stays]
    with pytest.raises(ParleyError, match="no rater is called 'r001'"):
        study.raters.data(gone)
    with pytest.raises(ParleyError, match="no rater is called"):
        study.raters.delete(gone)
    study.close()
    for path in tmp_path.iterdir():
        assert b"Rumpelstilzchen" not in path.read_bytes(), path
    again = Study(tmp_path / "study.sqlite")
    assert names(again, 1) == ["r003"]  # a name is never used again
    assert sum(one.done for one in again.work.standings()) == 1


def test_only_hashes_of_tokens_are_kept(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    ((_, token),) = study.raters.invite(1)
    everyone = study.raters.open_link()
    session = study.raters.enter(token)
    other = study.raters.enter(everyone, "prolific-5e7f")
    assert session and other and study.raters.enter("wrong") is None
    study.close()
    kept = (tmp_path / "study.sqlite").read_bytes()
    for secret in (token, everyone, session, other, "prolific-5e7f"):
        assert secret.encode() not in kept


def test_who_comes_twice_through_the_open_link_is_one_rater(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    link = study.raters.open_link()
    sessions = [study.raters.enter(link, who) for who in ("a", "a", "b", None, None)]
    found = [study.raters.of_session(session or "") for session in sessions]
    assert [rater and rater.name for rater in found] == ["r001", "r001", "r002", "r003", "r004"]
    assert study.raters.open_link() != link and study.raters.enter(link, "a") is None


# -- damage ------------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from parley.annotate.study import Study
from tests.test_annotate_study import entries
study = Study(Path(sys.argv[1]))
for number in range(1000):
    with study.database.transaction() as open_:
        assignment = study.work.current("r001")
        study.work.submit(assignment.id, "r001", entries(number))
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    print(assignment.item.id, flush=True)
"""


def test_a_kill_in_the_middle_of_a_transaction_loses_only_that(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    names(study, 1)
    study.close()
    path = tmp_path / "study.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    again = Study(path)
    assert sorted(one.item for one in again.work.annotations()) == sorted(done.stdout.split())
    assert len(done.stdout.split()) == 2
    assert again.work.current("r001") is not None


def damaged(path: Path, at: int = 0, count: int = 64) -> bytes:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(count))
    return path.read_bytes()


def test_a_damaged_file_is_told_with_its_copy_and_not_written_to(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 40)
    study.database.copy()
    study.close()
    path = tmp_path / "study.sqlite"
    for at in (0, 4096 * 3):  # the head, and a page within
        path.write_bytes((tmp_path / "study.sqlite.copy").read_bytes())
        before = damaged(path, at, 2048)
        with pytest.raises(ParleyError, match=r"study\.sqlite: damaged \(.*study\.sqlite\.copy.*\.recover"):
            Study(path)
        assert path.read_bytes() == before
    path.write_bytes((tmp_path / "study.sqlite.copy").read_bytes())
    assert len(Study(path).work.items()) == 40


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE calls (key TEXT)")
    other.close()
    with pytest.raises(ParleyError, match="an SQLite file, but no study"):
        Study(path)
    path.write_text("task,cast\n" * 100)
    with pytest.raises(ParleyError, match="damaged"):
        Study(path)


def test_a_file_of_another_version_is_told(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    study.database.put("version", "99")
    study.close()
    with pytest.raises(ParleyError, match="another version"):
        Study(tmp_path / "study.sqlite")


def test_two_commands_take_turns(tmp_path: Path) -> None:
    served, _ = study_in(tmp_path)
    beside: Any = Study(tmp_path / "study.sqlite")
    made = [name for study in (served, beside, served) for name in names(study, 1)]
    assert made == ["r001", "r002", "r003"]
    given = beside.work.current("r001")
    assert given is not None and served.work.current("r001") == given
