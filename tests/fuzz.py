"""Does a rebuild after any change give what a clean build gives, and nothing more than it needs?

    python -m tests.fuzz --seconds 3600 --seed 7          for as long as one likes
    python -m tests.fuzz --seconds 3600 --seed 7 --kills  with runs that are killed in the middle

The rules, the paths and the staleness are the real ones; the scripts are quick stand-ins (`tests/standins`). Each step
changes something at random (an edit, a setting, code, a deletion, a touch), runs a random target, and looks at every job
that ran. Findings: STALE, a result that a clean build would give otherwise; NEEDLESS, a job that ran on the same inputs,
settings and code as last time with all its outputs there; RESTLESS, a second run that is not a no-op.
"""

import argparse
import copy
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.standins.world import KINDS, World

TARGETS = (
    "results/small/tasks/round1/01.jsonl",
    "results/small/episodes/round1/expert+expert/02.jsonl",
    "results/small/ratings/round2/bc+bc/judge/00.parquet",
    "results/small/datasets/bc/manifest.json",
    "results/small/policies/bc",
    "results/small/scores/base/all.parquet",
    "results/small/judges/all.json",
    "results/small/tables/table_5.csv",
    "figure_4",
    "figures",
    "results/small/safety/bc.json",
    "results/small/human/ratings.parquet",
    "policies",
    "scores",
)


class Fuzz:
    """A world that is changed at random, and a second one for clean builds of the same inputs."""

    def __init__(self, folder: Path, seed: int, kills: bool = False, say: Callable[[str], None] = print) -> None:
        self.random = Random(seed)
        self.kills = kills
        self.say = say
        self.world, self._clean = World(folder / "world"), World(folder / "clean")
        self._known: dict[str, dict[str, str]] = {}
        self._saved = copy.deepcopy(self.world.config)
        self.findings: list[str] = []
        self.world.needless(self.world.run(), {})

    def step(self, change: str, target: str | None = None) -> list[str]:
        """Make one change, run, look; the findings of this step."""
        what = getattr(self, f"do_{change}")()
        self.world.save()
        before = {} if change == "fail" else self.world.outputs()
        ran: list[list[str]] = []
        if self.kills and self.random.random() < 0.3:
            self.world.spoil(kill_after=self.random.uniform(0.4, 2.5))
            before, what = {}, f"{what}, killed once"  # nobody knows what it left: no job is called needless now
        ran += self.world.run(*([target] if target else []))
        found = [f"NEEDLESS {job}" for job in self.world.needless(ran, before)]
        if target is None:
            found += self._stale()
            if again := self.world.run():
                found.append(f"RESTLESS {len(again)} jobs")
        self.say(f"{change} ({what}), target {target or 'all'}: {len(ran)} jobs{''.join(f'; {one}' for one in found)}")
        self.findings += found
        return found

    def any_step(self) -> list[str]:
        """A step with a change and a target drawn at random."""
        change = self.random.choice(CHANGES)
        return self.step(change, self.random.choice([None, None, *TARGETS]) if self.random.random() < 0.5 else None)

    def _stale(self) -> list[str]:
        state = self.world.inputs()
        if state not in self._known:
            self._clean.mirror(self.world)
            self._clean.run()
            self._known[state] = self._clean.outputs()
        wanted, there = self._known[state], self.world.outputs()
        return [f"STALE {path}" for path in wanted if there.get(path) != wanted[path]]

    # -- changes -----------------------------------------------------------------------------------------------

    def _edit(self, path: str, key: str) -> str:
        records = self.world.records(path)
        one = self.random.choice(records)
        one[key] = self.random.choice("abcdef")
        self.world.lines(path, records)
        return f"{path} {one}"

    def do_nothing(self) -> str:
        return "-"

    def do_edit_task(self) -> str:
        return self._edit("round1.jsonl", "text")

    def do_edit_test_task(self) -> str:
        return self._edit("test.jsonl", "text")

    def do_edit_risky_task(self) -> str:
        return self._edit("risky.jsonl", "text")

    def do_edit_character(self) -> str:
        return self._edit("resources/characters.jsonl", "secret")

    def do_edit_keyword(self) -> str:
        return self._edit("resources/keywords.jsonl", "text")

    def do_reorder_tasks(self) -> str:
        records = self.world.records("round1.jsonl")
        self.random.shuffle(records)
        self.world.lines("round1.jsonl", records)
        return "round1.jsonl"

    def do_add_or_remove_task(self) -> str:
        records = self.world.records("round1.jsonl")
        if len(records) > 6:
            records.pop(self.random.randrange(len(records)))
        else:
            free = next(i for i in range(99) if all(record["name"] != f"t{i}" for record in records))
            records.append({"name": f"t{free}", "text": self.random.choice("abc")})
        self.world.lines("round1.jsonl", records)
        return f"{len(records)} tasks"

    def do_edit_prompt(self) -> str:
        name = self.random.choice(["turn", "rating", "safety", "task", "annotation"])
        self.world.put(f"prompts/{name}.jinja", f"{name} {self.random.choice('abc')}")
        return name

    def do_set(self) -> str:
        path, value = self.random.choice(SETTINGS)
        place: Any = self.world.config
        for key in (parts := path.split("."))[:-1]:
            place = place.setdefault(key, {})
        place[parts[-1]] = self.random.choice(value)
        return f"{path} = {place[parts[-1]]}"

    def do_share(self) -> str:
        selection = self.world.config["policies"]["bc"]["learns_from"]["selection"]
        selection["share"] = 0.9 if selection["share"] < 0.9 else 0.2
        return str(selection["share"])

    def do_learning_rate(self) -> str:
        training = self.world.config["policies"]["bc"].setdefault("training", {})
        training["learning_rate"] = 0.5 if training.get("learning_rate") != 0.5 else 0.25
        return str(training["learning_rate"])

    def do_back_to_the_first_config(self) -> str:
        self.world.config = copy.deepcopy(self._saved)
        return "-"

    def do_add_or_remove_policy(self) -> str:
        policies = self.world.config["policies"]
        if "more" in policies:
            del policies["more"]
            return "removed"
        policies["more"] = copy.deepcopy(policies["sr"]) | {"parent": "base"}
        return "added"

    def do_edit_code(self) -> str:
        kind = self.random.choice(KINDS)
        self.world.salts[kind] = self.random.choice("abc")
        return kind

    def do_tidy_code(self) -> str:
        kind = self.random.choice(KINDS)
        self.world.padding[kind] += 1
        return kind

    def do_fail(self) -> str:
        """A change, and a first run in which every job of some rule fails after all that it does."""
        what, kind = self.do_set(), self.random.choice(KINDS)
        self.world.save()
        script = self.world.folder / f"scripts/{kind}.py"
        text = script.read_text()
        script.write_text(text + "raise SystemExit(1)\n")
        self.world.spoil()
        script.write_text(text)
        return f"{what}, {kind} failed once"

    def do_delete(self) -> str:
        path = self.random.choice([*self.world.outputs()])
        if path.startswith(("policies/", "report/")) and path.count("/") > 1:  # adapter and episodes are folders
            shutil.rmtree((self.world.results / path).parent)
        else:
            (self.world.results / path).unlink()
        return path

    def do_delete_folder(self) -> str:
        folders = sorted(path for path in self.world.results.rglob("*") if path.is_dir() and path.name != "logs")
        folder = self.random.choice(folders)
        shutil.rmtree(folder)
        return str(folder.relative_to(self.world.results))

    def do_touch(self) -> str:
        paths = [*self.world.folder.glob("*.jsonl"), *self.world.folder.glob("prompts/*")]
        paths += [self.world.results / path for path in self.world.outputs()]
        path = self.random.choice(sorted(paths))
        os.utime(path)
        return str(path.relative_to(self.world.folder))

    def do_tamper(self) -> str:
        """A result overwritten by hand, and put back: the content is the same, the time is not."""
        path = self.world.results / self.random.choice([*self.world.outputs()])
        path.write_bytes(path.read_bytes())
        return str(path.relative_to(self.world.results))


CHANGES = sorted(name.removeprefix("do_") for name in dir(Fuzz) if name.startswith("do_"))
SETTINGS: list[tuple[str, list[Any]]] = [
    ("seed", [1, 2]),
    ("models.expert.temperature", [0.5, 1.0]),
    ("models.partner.revision", ["", "b"]),
    ("models.judge.revision", ["", "b"]),
    ("models.agent.concurrency", [1, 2, 3]),
    ("task_sets.round1.casts", [1, 2, 3]),
    ("task_sets.round1.shards", [2, 3]),
    ("task_sets.round2.count", [3, 4, 5]),
    ("play.max_turns", [10, 20]),
    ("policies.bc.learns_from.selection.share", [0.3, 0.4, 0.5]),
    ("policies.sr.learns_from.selection.share", [0.3, 0.4, 0.5]),
    ("policies.bc.training.learning_rate", [0.1, 0.2]),
    ("policies.sr.training.learning_rate", [0.1, 0.2]),
    ("evaluations.all.casts", [1, None]),
    ("evaluations.all.also_judged_by", [[], ["writer"]]),
    ("evaluations.all.orders", ["one", "both"]),
    ("canary", [None, {"dates": ["2026-01-01"]}, {"dates": ["2026-01-01", "2026-02-01"]}]),
    ("knowledge.shots", [2, 5]),
    ("knowledge.margin", [0.02, 0.05]),
    ("safety.decided_by", ["judge", "rules"]),
    ("human.per_policy", [1, 2]),
    ("human.raters", [2, 3]),
    ("models.annotator.revision", ["", "b"]),
    ("references", [[], ["expert"]]),
    ("published", [None, "sotopia_pi"]),
]


def main() -> None:
    """Fuzz for a while; status 1 with a line for each finding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kills", action="store_true", help="kill a run in the middle now and then")
    parser.add_argument("--steps", help="changes to make, one after the other, instead of random ones")
    parser.add_argument("--break", dest="broken", help="JSON: [file, old text, new text], a fault to be found")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="parley-fuzz-"))
    start, steps = time.monotonic(), 0
    print(f"seed {options.seed}, in {folder}", flush=True)
    fuzz = Fuzz(folder, options.seed, options.kills, lambda line: print(line, flush=True))
    if options.broken:
        path, old, new = json.loads(options.broken)
        text = (fuzz.world.folder / path).read_text()
        assert old in text, f"{path} does not hold {old!r}"
        (fuzz.world.folder / path).write_text(text.replace(old, new))
    for change in (options.steps or "").split(",") if options.steps else []:
        fuzz.step(change)
        steps += 1
    while not options.steps and time.monotonic() - start < options.seconds:
        fuzz.any_step()
        steps += 1
    print(f"{steps} steps, {len(fuzz.findings)} findings")
    if fuzz.findings:
        sys.exit(1)  # the folder stays, to be looked at
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
