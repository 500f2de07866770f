"""The table of docs/staleness.md, row by row: each change in a real run, the jobs that run and the calls that are new."""

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl
from tests.workflow import ROOT, Workshop, build_learning, clone_code, learning, ran

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs/staleness.md"
STAGES = ("episodes", "ratings", "tasks")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The experiment `learning`, run once; each row changes a copy."""
    return build_learning(tmp_path_factory.mktemp("staleness") / "built")


# -- the changes, in the order of the table ------------------------------------------------------------------------

Change = Callable[[Workshop], None]
CHANGES: dict[str, Change] = {}


def row(name: str) -> Callable[[Change], Change]:
    """Register the change of a row of the table."""

    def register(change: Change) -> Change:
        CHANGES[name] = change
        return change

    return register


def setting(name: str, *paths: str, value: Any) -> None:
    """Register a row that sets something in the config; a path is keys with dots between them."""

    def change(workshop: Workshop) -> None:
        for path in paths:
            *parts, last = path.split(".")
            place = workshop.config
            for part in parts:
                place = place[part]
            place[last] = value
        workshop.configure(workshop.config)

    CHANGES[name] = change


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text that must be in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} does not hold {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@row("nothing")
def _nothing(workshop: Workshop) -> None:
    pass


@row("a task edited by hand")
def _edited(workshop: Workshop) -> None:
    # A task that is alone in its shard or not: one of two shards is played again.
    path = next(path for path in sorted(workshop.results.glob("tasks/round1/0*.jsonl")) if path.read_text())
    first, *rest = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    first["scenario"] = f"It is late. {first['scenario']}"
    path.write_text("".join(json.dumps(task) + "\n" for task in (first, *rest)), encoding="utf-8")


@row("a task edited by hand, in what the selection drops")
def _dropped(workshop: Workshop) -> None:
    selected = pl.read_parquet(workshop.results / "selections/sr.parquet").filter("kept")
    kept = set(selected.select("task", "cast").iter_rows())
    path = workshop.results / "tasks/round2/00.jsonl"
    tasks = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    out = next(cast for cast in tasks[0]["casts"] if (tasks[0]["name"], "+".join(cast)) not in kept)
    tasks[0]["casts"].remove(out)
    path.write_text("".join(json.dumps(task) + "\n" for task in tasks), encoding="utf-8")


@row("a task added to the file of the evaluation")
def _added(workshop: Workshop) -> None:
    lines = (ROOT / "resources/tasks/evaluation.jsonl").read_text(encoding="utf-8").splitlines()
    with (workshop.folder / "mine.jsonl").open("a", encoding="utf-8") as file:
        file.write(lines[2] + "\n")


setting("`count` raised by one", "task_sets.round1.count", value=4)
setting("another `cast_seed`", "task_sets.round2.cast_seed", value=9)


@row("the secret of one character of the evaluation edited")
def _secret(workshop: Workshop) -> None:
    path = workshop.folder / "resources/characters.jsonl"
    people = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    (one,) = [person for person in people if person["id"] == once_in_the_evaluation(workshop)]
    one["secret"] = "once failed an exam"
    path.write_text("".join(json.dumps(person) + "\n" for person in people), encoding="utf-8")


def once_in_the_evaluation(workshop: Workshop) -> str:
    """A character who sits in one cast of the evaluation and in no other task set."""
    seated = [
        character
        for path in workshop.results.glob("tasks/*/0*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
        for cast in json.loads(line)["casts"]
        for character in cast
    ]
    mine = [json.loads(line) for line in (workshop.folder / "mine.jsonl").read_text(encoding="utf-8").splitlines()]
    here = [character for task in mine for cast in task["casts"] for character in cast]
    return next(character for character in here if seated.count(character) == 1)


setting("the expert's temperature", "models.expert.temperature", value=0.5)
setting("another model as the partner", "models.partner.name", value="expert")
setting("the partner's key variable", "models.partner.api_key_env", value="ANOTHER_KEY")
setting("the partner's address", "models.partner.base_url", value="http://127.0.0.1:9/v1")
setting("concurrency", "models.agent.concurrency", "models.partner.concurrency", value=2)
setting("a price", "models.partner.price", value={"input": 1, "output": 2})
setting("another judge", "models.judge.revision", value="b")


@row("a word of the rating prompt")
def _rating_prompt(workshop: Workshop) -> None:
    path = workshop.folder / "prompts/rating.jinja"
    path.write_text(path.read_text(encoding="utf-8") + "\nThank you.\n", encoding="utf-8")


@row("a word of the turn prompt")
def _turn_prompt(workshop: Workshop) -> None:
    replace(workshop.folder / "turn.jinja", "answers in JSON", "now answers in JSON")


setting("the share that is selected", "policies.sr.learns_from.selection.share", value=0.6)
setting("the rank of the adapters", "policies.bc.training.rank", "policies.sr.training.rank", value=2)


@row("a policy added")
def _policy_added(workshop: Workshop) -> None:
    bc = workshop.config["policies"]["bc"]
    workshop.config["policies"]["other"] = {**bc, "training": {**bc["training"], "seed": 2}}
    workshop.configure(workshop.config)


@row("a policy removed")
def _policy_removed(workshop: Workshop) -> None:
    del workshop.config["policies"]["sr"]
    del workshop.config["task_sets"]["round2"]
    workshop.configure(workshop.config)


@row("an evaluation added")
def _evaluation_added(workshop: Workshop) -> None:
    workshop.config["evaluations"]["first"] = {**workshop.config["evaluations"]["all"], "casts": 1}
    workshop.configure(workshop.config)


@row("a template of the report")
def _template(workshop: Workshop) -> None:
    path = next(
        path for path in sorted((workshop.folder / "parley/report/templates").iterdir()) if path.suffix == ".css"
    )
    path.write_text(path.read_text(encoding="utf-8") + "\n/* */\n", encoding="utf-8")


@row("a comment in the code of playing")
def _comment(workshop: Workshop) -> None:
    path = workshop.folder / "parley/world/playing.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n# A remark.\n", encoding="utf-8")


@row("a line without effect in the code of playing")
def _no_effect(workshop: Workshop) -> None:
    path = workshop.folder / "parley/world/playing.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n_UNUSED = 1\n", encoding="utf-8")


@row("a line without effect in the code of training")
def _no_effect_in_training(workshop: Workshop) -> None:
    path = workshop.folder / "parley/learning/order.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n_UNUSED = 1\n", encoding="utf-8")


@row("a file of episodes deleted")
def _episodes_deleted(workshop: Workshop) -> None:
    (workshop.results / "episodes/test/bc+partner/00.jsonl").unlink()


@row("a trained policy deleted")
def _policy_deleted(workshop: Workshop) -> None:
    shutil.rmtree(workshop.results / "policies/bc")


@row("files of results touched")
def _touched(workshop: Workshop) -> None:
    for path in workshop.results.rglob("*"):
        if path.is_file():
            os.utime(path)


@row("the ledger deleted")
def _ledger_deleted(workshop: Workshop) -> None:
    shutil.rmtree(workshop.folder / "ledger")


@row("the results deleted, the ledger kept")
def _results_deleted(workshop: Workshop) -> None:
    shutil.rmtree(workshop.results)


@row("a fresh checkout of the same code over the results")
def _fresh_checkout(workshop: Workshop) -> None:
    clone_code(workshop.folder)


# -- the table -----------------------------------------------------------------------------------------------------

Row = tuple[dict[str, int], str, str, str]


def table() -> dict[str, Row]:
    """The rows of the page: jobs by rule, and the new turns, ratings and tasks as they are written there."""
    found: dict[str, Row] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 5 and cells[0] != "change" and not cells[0].startswith("---"):
            found[cells[0]] = (jobs_of(cells[1]), *cells[2:])  # type: ignore[assignment]
    return found


def jobs_of(cell: str) -> dict[str, int]:
    """`play 2, rate 1` as counts; `none` as no job."""
    return {} if cell == "none" else {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", cell)}


def keys(workshop: Workshop) -> dict[str, set[str]]:
    """The calls in the ledger, by stage."""
    found: dict[str, set[str]] = {stage: set() for stage in STAGES}
    for path in (workshop.folder / "ledger").rglob("*.sqlite"):
        with sqlite3.connect(path) as connection:
            stage = path.relative_to(workshop.folder / "ledger").parts[0]
            found[stage] |= {key for (key,) in connection.execute("SELECT key FROM calls")}
    return found


def episodes(workshop: Workshop) -> set[str]:
    """The ids of all episodes: who played what, and all that was done."""
    paths = workshop.results.glob("episodes/*/*/*.jsonl")
    return {episode.id for path in paths for episode in read_jsonl(path, Episode)}


def seen(workshop: Workshop) -> tuple[dict[str, int], dict[str, int], int]:
    """Run the changed experiment on one core: jobs by rule, new calls by stage, episodes with new talk."""
    known, talks = keys(workshop), episodes(workshop)
    output = workshop.run(cores=1)
    jobs = {rule: number for rule, number in ran(output).items() if rule != "all"}
    calls = {stage: len(now - known[stage]) for stage, now in keys(workshop).items()}
    return jobs, calls, len(episodes(workshop) - talks)


def test_the_page_has_every_change_in_its_order() -> None:
    assert list(table()) == list(CHANGES)


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_change_does_what_the_page_says(name: str, built: Workshop, tmp_path: Path) -> None:
    jobs, turns, ratings, tasks = table()[name]
    workshop = built.copy(tmp_path / "copy")
    CHANGES[name](workshop)
    ran_jobs, calls, talk = seen(workshop)
    assert ran_jobs == jobs
    assert calls["episodes"] == int(turns) and calls["tasks"] == int(tasks)
    assert calls["ratings"] == (talk if ratings == "new talk" else int(ratings))
    if jobs:  # where nothing ran there is nothing that could run again
        assert ran(workshop.run(cores=1)) == {}


def test_the_experiment_is_learning(built: Workshop) -> None:
    assert built.config == learning()


if __name__ == "__main__":  # prints the table as it is measured, to be read before it is believed
    import tempfile

    base = build_learning(Path(tempfile.mkdtemp()) / "built")
    for label, make in CHANGES.items():
        changed = base.copy(base.folder.parent / "copy")
        make(changed)
        by_rule, asked, new_talk = seen(changed)
        text = ", ".join(f"{rule} {number}" for rule, number in sorted(by_rule.items())) or "none"
        print(
            f"| {label} | {text} | {asked['episodes']} | {asked['ratings']} ({new_talk}) | {asked['tasks']} |",
            flush=True,
        )
        shutil.rmtree(changed.folder)
