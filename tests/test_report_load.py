"""What is loaded from a results folder, whole and in pieces."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from parley.config import Experiment
from parley.report import effort, known, parts, tables
from parley.report.findings import Findings, layout_of
from parley.report.load import load
from tests.report_sample import make_sample, sample_experiment


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    return make_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def broken(whole: tuple[Path, Experiment], tmp_path: Path) -> tuple[Path, Experiment]:
    """A copy that a test may damage."""
    root = tmp_path / "sample"
    shutil.copytree(whole[0], root)
    return root, whole[1]


def test_a_complete_folder_has_no_gaps(whole: tuple[Path, Experiment]) -> None:
    found = load(*whole)
    assert found.gaps == {}
    assert list(found.datasets) == ["bc", "sr", "bc_sr"]
    assert found.scores["policy"].n_unique() == 5


def test_an_empty_folder_loads_and_says_what_is_missing(tmp_path: Path) -> None:
    found = load(tmp_path, sample_experiment(tmp_path))
    assert "scores/base/hard.parquet is missing" in found.gaps["scores"]
    assert "knowledge/bc.json is missing" in found.gaps["knowledge"]
    assert "safety/expert.json is missing" in found.gaps["safety"]
    assert found.scores.is_empty() and found.ratings.is_empty()


def test_what_is_not_configured_is_not_missing(tmp_path: Path) -> None:
    sets = {"round1": {"count": 6, "writer": "writer"}, "evaluation": {"file": "evaluation.jsonl"}}
    found = load(tmp_path, sample_experiment(tmp_path, knowledge=None, safety=None, task_sets=sets))
    assert {"knowledge", "safety"} & set(found.gaps) == set()


@pytest.mark.parametrize(
    ("name", "content", "section"),
    [
        ("knowledge/bc.json", '{"policy": "bc"}', "knowledge"),
        ("knowledge/bc.json", "[]", "knowledge"),
        ("safety/bc.json", '{"not": "a table"', "safety"),
        ("scores/bc/hard.parquet", "no parquet", "scores"),
        ("policies/bc/training_log.jsonl", '{"step": 1}\n', "training"),
        ("usage/episodes/round1/base+base/00.json", '{"stage": "episodes"}', "effort"),
        ("timings/policies/bc.tsv", "a\tb\n1\t2\n", "effort"),
        ("tasks/evaluation/00.jsonl", "{}\n", "tasks"),
    ],
)
def test_a_broken_file_is_a_gap_and_takes_nothing_else_with_it(
    broken: tuple[Path, Experiment], name: str, content: str, section: str
) -> None:
    (broken[0] / name).write_text(content)
    found = load(*broken)
    assert list(found.gaps) == [section]
    assert [line for line in found.gaps[section] if line.startswith(f"{name} cannot be read (")]
    assert str(broken[0]) not in " ".join(found.gaps[section])


def test_a_table_without_the_right_columns_is_a_gap(broken: tuple[Path, Experiment]) -> None:
    pl.DataFrame({"policy": ["bc"]}).write_parquet(broken[0] / "scores/bc/hard.parquet")
    assert "scores/bc/hard.parquet cannot be read" in load(*broken).gaps["scores"][0]


def test_an_evaluation_takes_just_its_own_tasks_casts_and_players(whole: tuple[Path, Experiment]) -> None:
    found = load(*whole)
    hard, everything = found.rated("hard", "bc"), found.rated("all", "bc")
    assert (hard.height, hard["task"].n_unique(), hard["cast"].n_unique()) == (4 * 2 * 2, 4, 2)
    assert (everything.height, everything["task"].n_unique(), everything["cast"].n_unique()) == (8 * 2, 8, 1)
    assert set(hard["player"]) == {"bc"} and set(hard["partner"]) == {"partner"} and set(hard["seat"]) == {0, 1}


def test_the_funnel_adds_up_from_candidates_to_samples(whole: tuple[Path, Experiment]) -> None:
    found = load(*whole)
    for name in ("bc", "sr", "bc_sr"):
        row = tables.selected(found, name)
        assert row.candidates == 6 * 2 * 2
        assert row.kept == found.selections[name]["kept"].sum()
        assert row.turns is not None and row.samples is not None and row.trained is not None
        assert row.turns - sum(row.dropped.values()) == row.samples == row.trained + (row.too_long or 0)
    assert [kept for _, kept, _ in tables.selected(found, "sr").outcomes] == [True, False]


def test_tasks_are_counted_by_tag_with_what_was_dropped(whole: tuple[Path, Experiment]) -> None:
    rows = {row.name: row for row in (tables.written(load(*whole), name) for name in whole[1].task_sets)}
    assert rows["round1"].dropped == {"duplicate": 2, "invalid": 1}
    assert (rows["evaluation"].tasks, rows["evaluation"].casts) == (8, 16)
    assert rows["evaluation"].tags[0] == ("hard", 4)


def test_effort_sums_files_and_prices_only_what_has_a_price(whole: tuple[Path, Experiment]) -> None:
    rows = {(row.stage, row.speaker): row for row in effort.efforts(load(*whole))}
    judge = rows["ratings", "judge"]
    assert judge.money == pytest.approx((100 * judge.calls * 2 + 20 * judge.calls * 8) / 1e6)
    assert judge.currency == "USD"
    assert rows["episodes", "bc"].currency is None
    assert list(dict.fromkeys(stage for stage, _ in rows)) == ["episodes", "ratings"]
    assert effort.spent(list(rows.values())) == {"USD": judge.money}


def test_what_other_settings_left_behind_is_not_of_this_experiment(broken: tuple[Path, Experiment]) -> None:
    before = load(*broken)
    sums = dict.fromkeys(("calls", "prompt_tokens", "completion_tokens", "cached_tokens", "retries", "failures"), 7)
    content = {"stage": "ratings", "speakers": {"old_judge": {**sums, "seconds": 1.5}}}
    (broken[0] / "usage/ratings/old.json").write_text(json.dumps(content))
    (broken[0] / "timings/policies/old.tsv").write_text("s\th:m:s\tmax_rss\tcpu_time\n9.9\t0:00:09\t1\t1\n")
    after = load(*broken)
    assert effort.efforts(after) == effort.efforts(before) and effort.jobs(after) == effort.jobs(before)


def test_effort_tells_the_models_behind_a_speaker_apart(broken: tuple[Path, Experiment]) -> None:
    sums = dict.fromkeys(("calls", "completion_tokens", "seconds", "retries", "failures"), 1)
    paths = [path for path in layout_of(*broken).all_usage() if "/usage/ratings/" in path]
    for name, (model, cached) in zip(paths, (("judge-1", 30), ("judge-1", 0), ("judge-2", 100)), strict=False):
        took = {**sums, "model": model, "identity": "ab", "prompt_tokens": 100, "cached_tokens": cached}
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"stage": "ratings", "speakers": {"judge": took}}))
    rows = {row.model: row for row in effort.efforts(load(*broken)) if row.speaker == "judge"}
    assert {model: (row.calls, row.cached_share) for model, row in rows.items() if model} == {
        "judge-1": (2, 0.15),
        "judge-2": (1, 1.0),
    }
    # 200 · 2 + 2 · 8 and 100 · 2 + 8 per million: this judge's price knows no cheaper cached tokens
    assert [rows[f"judge-{n}"].money for n in (1, 2)] == pytest.approx([416e-6, 208e-6])


def test_the_clock_of_a_job_counts_for_each_who_spoke_in_it(whole: tuple[Path, Experiment]) -> None:
    rows = {(row.stage, row.speaker): row for row in effort.efforts(load(*whole))}
    assert rows["episodes", "base"].wall == rows["episodes", "partner"].wall == 61.0
    assert rows["ratings", "judge"].wall is None  # nobody measured those jobs


def test_time_is_summed_by_stage_in_the_order_of_the_work(whole: tuple[Path, Experiment]) -> None:
    assert effort.jobs(load(*whole)) == [
        ("tasks", 1, 3.2, 210.5),
        ("episodes", 1, 61.0, 210.5),
        ("policies", 1, 130.5, 210.5),
    ]


def test_times_that_snakemake_could_not_measure_are_unknown(broken: tuple[Path, Experiment]) -> None:
    (broken[0] / "timings/policies/bc.tsv").write_text("s\th:m:s\tmax_rss\tcpu_time\n0.1\t0:00:00\tNA\tNA\n")
    assert effort.jobs(load(*broken))[-1] == ("policies", 1, 0.1, None)


def test_knowledge_is_compared_question_by_question_and_a_stuck_letter_is_told(whole: tuple[Path, Experiment]) -> None:
    rows = {row.policy: row for row in known.ways(load(*whole))[0].rows}
    assert rows["base"].gain is None
    gain = rows["bc_sr"].gain
    # 6 of 100 questions are right that the base had wrong, none the other way round. Tango's score is 1.96 in size where
    # (6 - 2.0787) / sqrt(100 (2 · 0.009837 + 0.020787 · 0.979213)) and (6 - 12.4768) / sqrt(100 · 0.124768 · 0.875232) are.
    assert gain is not None and gain.difference == pytest.approx(6.0)
    assert (gain.low, gain.high) == (pytest.approx(2.0787, abs=0.001), pytest.approx(12.4768, abs=0.001))
    assert rows["base"].doubts == ["base answered A to 100 % of the questions, whatever was asked."]
    assert rows["sr"].doubts == []


def test_each_way_has_its_table_with_verdicts_and_the_share_of_guesses(whole: tuple[Path, Experiment]) -> None:
    likelihood, words = known.ways(load(*whole))
    assert (likelihood.name, words.name) == ("likelihood", "generation")
    assert likelihood.categories == ["overall", "stem", "humanities"]
    assert [row.verdict["verdict"] if row.verdict else None for row in likelihood.rows] == [None, *["not inferior"] * 3]
    assert words.rows[0].doubts[-1] == "10 % of the answers of base have no letter and were drawn at random."
    assert [subject for subject, _ in likelihood.subjects] == ["s0", "s1", "s2", "s3"]
    assert all(len(cells) == 4 for _, cells in likelihood.subjects)


def test_a_test_that_is_not_whole_says_so(broken: tuple[Path, Experiment]) -> None:
    assert known.limits(load(*broken)) == []
    path = broken[0] / "knowledge/bc.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "limit": 1, "missing_subjects": ["a", "b"]}))
    assert known.limits(load(*broken)) == [
        "A quick look: only the first 1 question of each subject were asked.",
        "Not all of MMLU: 2 subjects of 57 were not in the folder.",
    ]


def test_a_comparison_that_is_missing_or_broken_is_told(broken: tuple[Path, Experiment]) -> None:
    (broken[0] / "knowledge/bc.versus_base.json").unlink()
    (broken[0] / "knowledge/sr.versus_base.json").write_text('{"ways": {"likelihood": {"verdict": "open"}}}')
    found = load(*broken)
    assert found.gaps["knowledge"][0] == "knowledge/bc.versus_base.json is missing"
    assert "knowledge/sr.versus_base.json cannot be read" in found.gaps["knowledge"][1]
    assert known.ways(found)[0].rows[1].verdict is None


def test_knowledge_of_other_questions_than_the_base_had_is_not_compared(broken: tuple[Path, Experiment]) -> None:
    path = broken[0] / "knowledge/bc.json"
    path.write_text(path.read_text().replace('"q7"', '"q700"'))
    rows = {row.policy: row for row in known.ways(load(*broken))[0].rows}
    assert rows["bc"].gain is None and rows["sr"].gain is not None


def test_the_table_marks_the_best_policy_and_never_a_reference(whole: tuple[Path, Experiment]) -> None:
    found = load(*whole)
    table = tables.evaluated(found, "hard")
    goal = [key for key, _, _ in tables.COLUMNS].index("goal")
    assert table.best(goal, list(whole[1].policies)) == {"bc_sr"}
    assert table.best(goal, ["bc"]) == set()
    even = replace(table, scores=[(name, cells) for name in ("bc", "sr") for cells in [table.scores[0][1]]])
    assert even.best(goal, ["bc", "sr"]) == {"bc", "sr"}
    assert [player for player, _ in table.gains] == ["bc", "sr", "bc_sr", "expert"]


def test_simulated_parts_are_those_of_the_playhouse(tmp_path: Path) -> None:
    experiment = sample_experiment(tmp_path)
    assert parts.simulated(Findings(tmp_path, experiment)) == ["the writer", "the expert", "the partner"]
    agent = {"agent": {"engine": "playhouse", "name": "expert", "path": "resources/pocket"}}
    models = {name: model.model_dump() for name, model in experiment.models.items()} | agent
    assert "the policies" in parts.simulated(Findings(tmp_path, sample_experiment(tmp_path, models=models)))


def test_every_model_says_what_it_does(tmp_path: Path) -> None:
    does = parts.parts_played(Findings(tmp_path, sample_experiment(tmp_path)))
    assert does["agent"] == ["is base, what bc, sr and bc_sr started from"]
    assert does["judge"] == ["judges"]
    assert does["expert"] == ["shows bc how to play", "is measured as a reference"]
