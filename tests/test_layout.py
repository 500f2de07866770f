"""Where files lie, and which of them a step needs."""

import json
from pathlib import Path
from typing import Any

import pytest

from parley.config import load
from parley.layout import Layout
from tests.builders import experiment


def layout(changes: dict[str, Any] | None = None) -> Layout:
    return Layout(experiment(changes))


HERE = "results/mini"


def test_each_noun_has_its_folder() -> None:
    here = layout()
    assert here.tasks("round1") == [f"{HERE}/tasks/round1/00.jsonl", f"{HERE}/tasks/round1/01.jsonl"]
    assert here.episodes("round2", ("bc", "base")) == [f"{HERE}/episodes/round2/bc+base/00.jsonl"]
    assert here.ratings("test", ("bc", "partner"), "judge") == [f"{HERE}/ratings/test/bc+partner/judge/00.parquet"]
    assert (here.policy("bc"), here.manifest("bc")) == (f"{HERE}/policies/bc", f"{HERE}/policies/bc.json")
    assert here.scores("bc", "all") == f"{HERE}/scores/bc/all.parquet"
    assert here.versus("bc", "all") == f"{HERE}/scores/bc/all.versus_base.parquet"
    assert here.report == f"{HERE}/report/index.html"
    assert Layout(experiment(), "elsewhere").report == "elsewhere/mini/report/index.html"


def test_shards_are_numbered_from_zero() -> None:
    assert layout({"task_sets.round1.shards": 12}).shards("round1")[8:] == ["08", "09", "10", "11"]


def test_tasks_come_from_the_writer_or_from_a_file() -> None:
    assert layout().source("round1") == f"{HERE}/tasks/round1/written.jsonl"
    assert layout().source("test") == "test.jsonl"


def test_the_baseline_is_the_first_policy_that_is_a_model_as_it_is() -> None:
    assert layout().baseline == "base"
    assert layout({"policies.other": {"model": "expert"}}).baseline == "base"


def test_policies_are_told_from_models_and_the_trained_from_the_others() -> None:
    here = layout()
    players = ("bc", "base", "expert", "bc")
    assert here.trained(players) == ["bc"]
    assert here.manifests(players) == [here.manifest("bc"), here.manifest("base")]
    assert (here.trained_policies(), here.base_policies()) == (["bc", "sr"], ["base"])


def test_a_policy_is_trained_on_what_it_learns_from() -> None:
    here = layout()
    assert here.training_episodes("sr") == here.episodes("round2", ("bc", "base"))
    assert here.training_ratings("bc") == here.ratings("round1", ("expert", "expert"), "judge")
    with pytest.raises(KeyError, match="base"):
        here.learned_from("base")


def test_a_study_is_played_in_both_seats() -> None:
    here = layout()
    study = here.experiment.evaluations["all"]
    assert here.study_episodes("bc", study) == [
        f"{HERE}/episodes/test/bc+partner/00.jsonl",
        f"{HERE}/episodes/test/partner+bc/00.jsonl",
    ]
    assert len(here.study_ratings("partner", study)) == 1  # with itself there is one seating


PLAYS = [
    ("round1", "expert+expert"),
    ("round2", "bc+base"),
    *(
        (tasks, players)
        for tasks in ("test", "risky")
        for policy in ("base", "bc", "sr", "expert")
        for players in (f"{policy}+partner", f"partner+{policy}")
    ),
]


def test_everything_that_is_played_is_played_once() -> None:
    here = layout({"evaluations.again": {"tasks": "test", "partner": "partner", "judge": "judge", "tag": "hard"}})
    assert [(tasks, "+".join(players)) for tasks, players, _ in here.plays()] == PLAYS
    files = len(PLAYS) + 1  # round1 has two shards
    assert len(here.all_ratings()) == len(set(here.all_ratings())) == files
    assert len(here.all_episodes()) == len(set(here.all_episodes())) == files


def test_two_judges_of_the_same_episodes_share_them() -> None:
    other = {"evaluations.other": {"tasks": "test", "partner": "partner", "judge": "writer"}}
    here, both = layout(), layout(other)
    assert both.all_episodes() == here.all_episodes()
    assert len(both.all_ratings()) == len(here.all_ratings()) + 8


def test_all_scores_are_compared_but_those_of_the_baseline() -> None:
    found = [path.removeprefix(f"{HERE}/scores/") for path in layout().all_scores()]
    assert found == [
        "base/all.parquet",
        *(f"{name}/all{kind}.parquet" for name in ("bc", "sr", "expert") for kind in ("", ".versus_base")),
    ]


def test_side_effects_are_measured_where_the_config_asks_for_them() -> None:
    found = [path.removeprefix(f"{HERE}/") for path in layout().side_effects()]
    assert found == [
        *(f"knowledge/{name}.json" for name in ("base", "bc", "sr")),
        *(f"safety/{name}.json" for name in ("base", "bc", "sr", "expert")),
    ]
    assert layout({"knowledge": None, "safety": None, "task_sets.risky": None}).side_effects() == []


# -- the paper's tables --------------------------------------------------------------------------------------------


def test_every_table_belongs_to_the_experiment_in_all_its_forms() -> None:
    here = layout()
    forms = [path.removeprefix(f"{HERE}/tables/") for path in here.all_tables()]
    assert forms[:3] == ["table_1.csv", "table_1.md", "table_1.tex"]
    assert [form for form in forms if form.startswith("figure")] == [
        f"figure_4.{kind}" for kind in ("csv", "md", "tex")
    ]
    assert {*forms} == {path.removeprefix(f"{HERE}/tables/") for path in here.everything() if "/tables/" in path}


def test_tables_of_ratings_are_made_from_all_that_is_evaluated() -> None:
    here = layout({"human_ratings": "people.parquet", "published": "sotopia_pi"})
    for name in ("table_1", "table_2", "table_5", "table_6", "table_9", "figure_4"):
        inputs = here.table_inputs(name)
        assert len(inputs) == len(set(inputs))
        assert set(here.study_ratings("bc", here.experiment.evaluations["all"])) <= set(inputs)
        assert {*here.tasks("test"), *here.all_policies(), here.experiment.prompts.rating} <= set(inputs)
        assert "people.parquet" in inputs and [path for path in inputs if path.endswith("published/sotopia_pi.yaml")]
        assert not [path for path in inputs if "risky" in path or "knowledge/" in path or "safety/" in path]


def test_scores_are_calibrated_as_soon_as_people_have_rated() -> None:
    without, here = layout(), layout({"human_ratings": "people.parquet"})
    assert without.all_calibration() == without.calibration_inputs() == []
    assert not [path for path in [*without.everything(), *without.all_timings()] if "/human/" in path]
    made = [path.removeprefix(f"{HERE}/human/") for path in here.all_calibration()]
    assert made == ["calibration.parquet", "calibration.versus_base.parquet", "agreement.json"]
    assert {*here.all_calibration()} <= {*here.everything()}
    assert f"{HERE}/timings/human/calibration.tsv" in here.all_timings()
    inputs = here.calibration_inputs()
    assert len(inputs) == len(set(inputs))
    study = here.experiment.evaluations["all"]
    rated = [path for player in here.experiment.measured() for path in here.study_ratings(player, study)]
    assert set(inputs) == {"people.parquet", *rated, *here.tasks("test")}
    measured_by_nothing = {"evaluations": {}, "task_sets.test": None, "human_ratings": "people.parquet"}
    assert layout(measured_by_nothing).all_calibration() == []


def test_tables_of_studies_are_made_from_the_studies_alone() -> None:
    here = layout()
    assert here.table_inputs("table_3") == [f"{HERE}/safety/{name}.json" for name in ("base", "bc", "sr", "expert")]
    knowledge = [f"{HERE}/knowledge/{name}.json" for name in ("base", "bc", "sr")]
    assert here.table_inputs("table_4") == [*knowledge, *here.all_policies()]
    without = layout({"knowledge": None, "safety": None, "task_sets.risky": None})
    assert without.table_inputs("table_3") == without.table_inputs("table_4") == []


def test_the_published_numbers_are_an_input_that_is_there() -> None:
    (path,) = [path for path in layout({"published": "sotopia_pi"}).table_inputs("table_4") if "published" in path]
    assert Path(path).is_file()


def test_knowledge_is_compared_with_the_base_s() -> None:
    here = layout()
    assert here.all_knowledge_versus() == [f"{HERE}/knowledge/{name}.versus_base.json" for name in ("bc", "sr")]
    assert {*here.all_knowledge_versus()} <= {*here.everything()}
    assert f"{HERE}/timings/knowledge/bc.versus.tsv" in here.all_timings()
    assert layout({"knowledge": None}).all_knowledge_versus() == []


def test_the_knowledge_test_reads_its_questions_and_a_prompt_for_free_answers(tmp_path: Path) -> None:
    ours = ["resources/knowledge/test.jsonl", "resources/knowledge/dev.jsonl"]
    assert layout().knowledge_files() == ours
    assert layout({"knowledge.way": "both"}).knowledge_files() == [*ours, "prompts/knowledge.jinja"]
    assert layout({"knowledge": {"source": "mmlu"}}).knowledge_files() == []  # the hub's, at a fixed revision
    assert layout({"knowledge": None}).knowledge_files() == []
    names = ["anatomy/dev-0.parquet", "anatomy/test-0.parquet", "anatomy/validation-0.parquet", "test/law_test.csv"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folder = {"knowledge": {"source": "mmlu", "path": str(tmp_path)}}
    assert layout(folder).knowledge_files() == [str(tmp_path / name) for name in names if "validation" not in name]


def test_the_judge_of_the_safety_study_is_asked_about_every_episode_of_it_once() -> None:
    here = layout()
    assert here.judgements("risky", ("bc", "partner"), "judge") == [
        f"{HERE}/judgements/risky/bc+partner/judge/00.jsonl"
    ]
    asked = [path.removeprefix(f"{HERE}/judgements/") for path in here.all_judgements()]
    players = [players for tasks, players in PLAYS if tasks == "risky"]
    assert asked == [f"risky/{each}/judge/00.jsonl" for each in players]
    assert here.study_judgements("bc") == [path for path in here.all_judgements() if "bc" in path]
    usage = [path for path in here.all_usage() if "/judgements/" in path]
    assert len(usage) == len(asked) and usage[0] == f"{HERE}/usage/judgements/risky/base+partner/judge/00.json"
    assert f"{HERE}/timings/judgements/risky/base+partner/judge/00.tsv" in here.all_timings()
    assert {*here.all_judgements(), *here.all_seats()} <= {*here.everything()}
    assert here.all_seats()[1] == f"{HERE}/safety/bc.seats.jsonl"


@pytest.mark.parametrize("change", [{"safety.decided_by": "rules"}, {"safety": None, "task_sets.risky": None}])
def test_where_rules_decide_nobody_is_asked(change: dict[str, Any]) -> None:
    here = layout(change)
    assert here.all_judgements() == here.study_judgements("bc") == []
    assert not [path for path in here.all_usage() if "/judgements/" in path]


def test_all_tasks_and_policies_of_the_config_are_there() -> None:
    here = layout()
    assert len([path for path in here.all_tasks() if path.endswith(".jsonl")]) == 5
    assert here.all_policies() == [here.manifest(name) for name in ("base", "bc", "sr")]


# -- local checkpoints ---------------------------------------------------------------------------------------------


def test_the_weights_of_local_models_are_inputs_once(tmp_path: Path) -> None:
    here = layout({"models.agent.path": str(tmp_path)})
    assert here.checkpoints(["base"]) == [f"{tmp_path}/model.safetensors"]  # not there: for Snakemake to miss
    for part in ("model-00002-of-00002", "model-00001-of-00002"):
        (tmp_path / f"{part}.safetensors").touch()
    assert here.checkpoints(["base", "bc", "expert", "sr"]) == [
        f"{tmp_path}/model-00001-of-00002.safetensors",
        f"{tmp_path}/model-00002-of-00002.safetensors",
    ]


def test_a_model_that_is_no_folder_here_is_no_input(tmp_path: Path) -> None:
    gguf = tmp_path / "agent.gguf"
    gguf.touch()
    for path in (str(gguf), "some-org/some-model"):
        assert layout({"models.agent.path": path}).checkpoints(["base", "expert"]) == []


# -- the resolved config -------------------------------------------------------------------------------------------


def test_the_resolved_config_is_published_and_not_touched_again(tmp_path: Path) -> None:
    here = Layout(experiment(), str(tmp_path))
    here.publish()
    path = Path(here.resolved)
    assert load(path) == experiment()
    before = path.stat().st_mtime_ns, path.stat().st_ino
    here.publish()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    Layout(experiment({"seed": 2}), str(tmp_path)).publish()
    assert json.loads(path.read_text(encoding="utf-8"))["seed"] == 2


def test_the_templates_of_the_report_are_there() -> None:
    found = Layout.report_templates()
    assert found and all(Path(path).is_file() for path in found)


def test_what_tells_that_tasks_are_complete_is_asked_for_with_them() -> None:
    here = layout()
    written, given = "round1", "test"
    assert here.funnel(written) == [f"{here.results}/tasks/{written}/written.funnel.json"]
    assert here.funnel(given) == []  # a person wrote it
    for name in (written, given):
        assert len(here.casts(name)) == len(here.tasks(name))
        assert {*here.casts(name), *here.tasks(name)} <= {*here.all_tasks()}


FILES = {
    "policies.bc.learns_from.episodes": "imported/expert.jsonl",
    "policies.bc.learns_from.ratings": "imported/expert.parquet",
    "policies.bc.learns_from.players": ["expert", "gpt-4"],
    "policies.bc.learns_from.judge": "somebody",
}


def test_what_lies_in_files_is_neither_played_nor_rated() -> None:
    here, before = layout(FILES), layout()
    assert here.training_episodes("bc") == ["imported/expert.jsonl"]
    assert here.training_ratings("bc") == ["imported/expert.parquet"]
    gone = ("round1", ("expert", "expert"), "judge")
    assert gone in set(before.plays()) and set(here.plays()) == set(before.plays()) - {gone}
    assert not set(here.everything()) & {"imported/expert.jsonl", "imported/expert.parquet"}


def test_the_tokenizer_that_measures_prompts_is_an_input_once_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    here = layout({"play.prompt_tokens": 2048, "play.tokenizer": str(path)})
    assert here.turn_prompt() == [here.experiment.prompts.turn]
    path.touch()
    assert here.turn_prompt() == [here.experiment.prompts.turn, str(path)]


# -- judges --------------------------------------------------------------------------------------------------------

TWO = {"evaluations.all": {"tasks": "test", "partner": "partner", "judge": "judge", "also_judged_by": ["writer"]}}


def test_more_judges_rate_the_same_episodes_and_what_is_scored_stays() -> None:
    here, one = layout(TWO), layout()
    assert here.all_episodes() == one.all_episodes() and here.all_scores() == one.all_scores()
    more = [path for path in here.all_ratings() if path not in one.all_ratings()]
    assert len(more) == 8 and all("/test/" in path and "/writer/" in path for path in more)
    study = here.experiment.evaluations["all"]
    assert here.study_ratings("bc", study) == one.study_ratings("bc", one.experiment.evaluations["all"])


def test_judges_are_compared_by_what_each_of_them_said() -> None:
    here = layout(TWO)
    assert here.all_judges() == [f"{HERE}/judges/all.json"] and {*here.all_judges()} <= {*here.everything()}
    inputs = here.judges_inputs("all")
    assert len(inputs) == len(set(inputs))
    assert set(inputs) == {
        *here.tasks("test"),
        *(path for path in here.all_episodes() if "/test/" in path),
        *(path for path in here.all_ratings() if "/test/" in path),
    }
    assert f"{HERE}/timings/judges/all.tsv" in here.all_timings()


def test_the_other_order_is_asked_for_where_an_evaluation_wants_it_alone() -> None:
    assert layout(TWO).all_swapped() == []
    here = layout({**TWO, "evaluations.all.orders": "both"})
    again = here.all_swapped()
    assert len(again) == len(set(again)) == 16  # two judges, four players, two seatings
    assert f"{HERE}/ratings/test/bc+partner/writer/swapped/00.parquet" in again
    assert not set(again) & set(here.all_ratings())
    assert here.all_ratings() == layout(TWO).all_ratings()
    assert set(again) <= {*here.everything()} and set(again) <= {*here.judges_inputs("all")}
    assert f"{HERE}/usage/ratings/test/bc+partner/judge/swapped/00.json" in here.all_usage()
    assert f"{HERE}/timings/ratings/test/bc+partner/judge/swapped/00.tsv" in here.all_timings()
