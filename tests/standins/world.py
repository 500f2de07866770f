"""A checkout in which every script is a quick stand-in: the real rules, paths and staleness over made-up contents."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from parley import staleness
from parley.canonical import digest
from parley.config import Experiment, check
from parley.layout import DRAWN, FORMS, Layout
from parley.report.inputs import reads
from tests.workflow import clone_code

KINDS = ("base_policy", "casts", "dataset", "episodes", "judgements", "knowledge", "noninferiority", "ratings")
KINDS += (
    "report",
    "safety",
    "scores",
    "selection",
    "tasks",
    "training",
    "tables",
    "figure_4",
    "figures",
    "calibration",
)
KINDS += ("judges", "canary", "items", "annotations")
SCRIPT = 'from standin import run\n\nSALT = "{salt}"\n{more}\nrun("{kind}", SALT)\n'
#: Files of results that say how something was made, not what; and what is not told from one run to the next.
APART = ("logs/", "timings/", "experiment.json", ".lock")


NAMES = ("expert", "partner", "writer", "judge", "annotator")


def config() -> dict[str, Any]:
    """Two rounds of learning and an evaluation: every rule has a job."""
    models = {
        "agent": {"engine": "llamacpp", "name": "pocket", "path": "resources/pocket"},
        **{name: {"engine": "playhouse", "name": name} for name in NAMES},
    }
    learned = {"judge": "judge", "selection": {"rule": "sr", "share": 0.4}}
    return {
        "experiment": "small",
        "seed": 1,
        "models": models,
        "task_sets": {
            "round1": {"file": "round1.jsonl", "casts": 2, "shards": 3},
            "round2": {"count": 4, "writer": "writer", "casts": 2, "shards": 2},
            "test": {"file": "test.jsonl", "casts": 1},
            "risky": {"file": "risky.jsonl", "casts": 1},
        },
        "policies": {
            "base": {"model": "agent"},
            "bc": {"parent": "base", "learns_from": {"players": ["expert", "expert"], "tasks": "round1", **learned}},
            "sr": {"parent": "bc", "learns_from": {"players": ["bc", "bc"], "tasks": "round2", **learned}},
        },
        "evaluations": {"all": {"tasks": "test", "partner": "partner", "judge": "judge"}},
        "safety": {"tasks": "risky", "partner": "partner", "judge": "judge"},
        "human": {"evaluation": "all", "per_policy": 2, "simulated_by": "annotator"},
        "knowledge": {"test": "resources/questions.jsonl", "dev": "resources/questions.jsonl"},
    }


class World:
    """A folder with the real workflow over stand-ins, and what is known of each job's last run."""

    def __init__(self, folder: Path, settings: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.config = settings or config()
        self.seen: dict[str, str] = {}  # the outputs as the last run left them
        self.salts = dict.fromkeys(KINDS, "a")
        self.padding = dict.fromkeys(KINDS, 0)
        self._made: dict[str, str] = {}
        clone_code(folder)
        for script in (folder / "scripts").glob("*.py"):
            script.write_text("")  # a rule without a job here still asks for its script's hash
        shutil.copyfile(Path(__file__).with_name("standin.py"), folder / "scripts/standin.py")
        self.put("resources/pocket/model.safetensors", "weights")
        self.lines("resources/characters.jsonl", [{"id": f"c{i}", "secret": "a"} for i in range(5)])
        self.lines("resources/relationships.jsonl", [{"kind": "friend"}])
        self.lines("resources/keywords.jsonl", [{"name": f"k{i}", "text": "a"} for i in range(9)])
        self.lines("resources/questions.jsonl", [{"question": "a"}])
        self.lines("round1.jsonl", [{"name": f"t{i}", "text": "a"} for i in range(8)])
        self.lines("risky.jsonl", [{"name": "r", "text": "a"}])
        self.lines("test.jsonl", [{"name": f"e{i}", "text": "a"} for i in range(3)])
        self.save()

    # -- contents ----------------------------------------------------------------------------------------------

    @property
    def results(self) -> Path:
        return self.folder / "results" / str(self.config["experiment"])

    @property
    def experiment(self) -> Experiment:
        return check(json.loads(json.dumps(self.config)))

    def put(self, path: str, text: str) -> None:
        """Write a file of the checkout, if its text is another."""
        target = self.folder / path
        if not target.exists() or target.read_bytes() != text.encode():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def lines(self, path: str, records: list[dict[str, Any]]) -> None:
        self.put(path, "".join(json.dumps(record) + "\n" for record in records))

    def records(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / path).read_text().splitlines()]

    def save(self) -> None:
        """Write the config and the scripts as they are to be."""
        self.put("config.yaml", yaml.safe_dump(self.config, sort_keys=False))
        for kind in KINDS:
            more = f"PADDING = {self.padding[kind]}\n"
            self.put(f"scripts/{kind}.py", SCRIPT.format(kind=kind, salt=self.salts[kind], more=more))

    def mirror(self, other: "World") -> None:
        """Take over every input of another world, and have no results."""
        self.config, self.salts, self.padding = other.config, other.salts, other.padding
        for path in ("resources", "prompts"):
            shutil.copytree(other.folder / path, self.folder / path, dirs_exist_ok=True)
        for path in other.folder.glob("*.jsonl"):
            shutil.copyfile(path, self.folder / path.name)
        self.save()
        for path in ("results", ".snakemake", "ledger"):
            shutil.rmtree(self.folder / path, ignore_errors=True)

    def inputs(self) -> str:
        """A digest of everything that decides the results."""
        paths = [*self.folder.glob("*.jsonl"), *self.folder.glob("prompts/*"), *self.folder.glob("resources/*.jsonl")]
        texts = {str(path.relative_to(self.folder)): path.read_text() for path in sorted(paths)}
        weights = (self.folder / "resources/pocket/model.safetensors").read_text()
        return digest([self.config, self.salts, texts, weights])

    def outputs(self) -> dict[str, str]:
        """The digests of the result files by path."""
        found = {}
        for path in sorted(self.results.rglob("*")):
            name = str(path.relative_to(self.results))
            if path.is_file() and not name.startswith(APART) and path.name != ".snakemake_timestamp":
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    # -- running -----------------------------------------------------------------------------------------------

    def run(self, *targets: str) -> list[list[str]]:
        """Run Snakemake; the command lines of the stand-ins that ran. Raises `AssertionError` if it fails."""
        code, ran = self._run(targets, None)
        assert code == 0, (self.folder / "snakemake.log").read_text()[-3000:]
        return ran

    def spoil(self, kill_after: float | None = None) -> None:
        """A run that fails, or is killed after so many seconds: what it made is made of nobody knows what."""
        for kind, *words in self._run((), kill_after)[1]:
            self._made.pop(f"{kind} {_options(words)['out'][0]}", None)

    def _run(self, targets: tuple[str, ...], kill_after: float | None) -> tuple[int, list[list[str]]]:
        journal = self.folder / "ran.log"
        journal.unlink(missing_ok=True)
        code = snakemake(self.folder, ["--cores", "2", *targets], kill_after)
        return code, [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []

    def needless(self, ran: list[list[str]], before: dict[str, str]) -> list[str]:
        """The jobs among `ran` that had no reason: made of the same as last time, with all they had made still there.

        `before` is what `outputs` was ahead of the run. What the jobs were made of is remembered for the next time.
        """
        found = []
        with contextlib.chdir(self.folder):
            for kind, *words in ran:
                options = _options(words)
                name, made_of = f"{kind} {options['out'][0]}", self._made_of(kind, options)
                kept = all(before.get(path) == self.seen.get(path) is not None for path in self._made_by(kind, options))
                if self._made.get(name) == made_of and kept:
                    found.append(name)
                self._made[name] = made_of
        self.seen = self.outputs()
        return found

    def _made_by(self, kind: str, options: dict[str, list[str]]) -> list[str]:
        """The result files that a job makes."""
        paths = [options[name][0] for name in MADE if name in options]
        if kind == "items":
            paths.append(options["key"][0])
        if kind == "dataset":
            paths = [str(Path(paths[0]).with_name(name)) for name in DATASET]
        if kind == "training":
            paths[0] += "/adapter.bin"
        if kind == "base_policy":
            paths[0] += "/README.md"
        if kind in ("tables", "figure_4"):
            forms = FORMS if kind == "tables" else DRAWN
            paths = [str(Path(paths[0]).with_suffix(f".{form}")) for form in forms]
        if kind == "report":
            paths += [f"{options['episodes'][0]}/index.html"]
        if kind == "figures":
            paths[0] += "/goal.svg"
        return [str(Path(path).relative_to(self.results.relative_to(self.folder))) for path in paths]

    def _made_of(self, kind: str, options: dict[str, list[str]]) -> str:
        """A digest of a job's settings, code and declared inputs, as its rule lists them."""
        experiment = self.experiment
        layout, world, prompts = Layout(experiment), experiment.world, experiment.prompts
        one = {name: values[0] for name, values in options.items() if values}
        kinds = ("tasks", "episodes", "ratings", "baseline-ratings", "judgements", "selection", "dataset")
        named = [path for name in kinds for path in options.get(name, [])]
        players = one.get("players", "").split("+") if "players" in one else []
        cfg, files = "", [*named]
        if kind == "tasks":
            known = [entry.file for entry in experiment.task_sets.values() if entry.file]
            cfg, files = staleness.tasks(experiment, one["task-set"]), [world.keywords, prompts.task, *known]
        elif kind == "casts":
            cfg, files = staleness.casts(experiment, one["task-set"]), [*named, world.characters, world.relationships]
        elif kind == "episodes":
            cfg = staleness.episodes(experiment, (players[0], players[1]))
            files += [world.characters, prompts.turn, *layout.manifests(players), *layout.checkpoints(players)]
        elif kind in ("ratings", "judgements"):
            rated, judged = (staleness.ratings, prompts.rating), (staleness.judgements, prompts.safety)
            string, asked = rated if kind == "ratings" else judged
            cfg, files = string(experiment, one["judge"]), [*named, world.characters, asked]
        elif kind == "safety":
            assert experiment.safety is not None
            cfg = staleness.safety(experiment, one["player"])
            files += [*layout.manifests([one["player"]]), experiment.safety.lexicon]
        elif kind in ("items", "annotations"):
            cfg, files = self._rated_of(kind, one, named)
        elif kind == "selection":
            cfg = staleness.selection(experiment, one["policy"])
        elif kind == "dataset":
            cfg, files = staleness.dataset(experiment, one["policy"]), [*named, world.characters, prompts.turn]
        elif kind == "base_policy":
            cfg, files = staleness.base_policy(experiment, one["policy"]), layout.checkpoints([one["policy"]])
        elif kind == "training":
            parent = experiment.policies[one["policy"]].parent
            cfg = staleness.training(experiment, one["policy"])
            files += [layout.manifest(str(parent)), *layout.checkpoints([one["policy"]])]
        elif kind == "scores":
            cfg = staleness.scores(experiment, one["player"], one["evaluation"])
            files += [*layout.manifests([one["player"]]), prompts.rating, prompts.turn] if "baseline" not in one else []
        else:
            cfg, files = self._shown_made_of(kind, one)
        contents = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in files]
        return digest([cfg, self.salts[kind], self.padding[kind], files, contents])

    def _rated_of(self, kind: str, one: dict[str, str], named: list[str]) -> tuple[str, list[str]]:
        """Settings and declared inputs of a job of the study in which people rate."""
        if kind == "items":
            return staleness.items(self.experiment), [*named, self.experiment.world.characters]
        files = [one["items"], one["key"], self.experiment.prompts.annotation]
        return staleness.annotations(self.experiment), files

    def _shown_made_of(self, kind: str, one: dict[str, str]) -> tuple[str, list[str]]:
        """The settings and inputs of a table, the figure, the calibration, judges side by side, a canary, the page."""
        experiment, layout = self.experiment, Layout(self.experiment)
        if kind in ("knowledge", "noninferiority"):
            return self._knowledge_made_of(kind, one)
        if kind == "tables":
            return staleness.tables(experiment, one["table"]), layout.table_inputs(one["table"])
        if kind == "figure_4":
            return staleness.figure(experiment), [one["cells"]]
        if kind == "calibration":
            return staleness.calibration(experiment), layout.calibration_inputs()
        if kind == "canary":
            return staleness.canary(experiment, one["judge"]), [*layout.canary_files(), experiment.prompts.rating]
        if kind == "judges":
            return staleness.judges(experiment, one["evaluation"]), layout.judges_inputs(one["evaluation"])
        files = [path for kind, paths in reads(layout).items() if kind != "templates" for path in paths]
        return staleness.report(experiment), files

    def _knowledge_made_of(self, kind: str, one: dict[str, str]) -> tuple[str, list[str]]:
        """Settings and declared inputs of a job of the knowledge test."""
        layout = Layout(self.experiment)
        if kind == "noninferiority":
            return staleness.noninferiority(self.experiment), [one["result"], one["baseline"]]
        inputs = [layout.manifest(one["policy"]), *layout.checkpoints([one["policy"]]), "resources/questions.jsonl"]
        return staleness.knowledge(self.experiment, one["policy"]), inputs


#: The options that name what a job makes.
MADE = ("out", "usage", "funnel", "summary", "manifest", "seats", "families", "marks", "versus", "agreement")
DATASET = ("manifest.json", "train.parquet", "README.md", "funnel.json")


def _options(words: list[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            values = options.setdefault(word[2:], [])
        else:
            values.append(word)
    return options


def snakemake(folder: Path, arguments: list[str], kill_after: float | None) -> int:
    """Run Snakemake in a fork of this process, which has it loaded already; its exit status.

    This process must have no other thread. What it prints goes to `snakemake.log` in `folder`.
    """
    import signal
    import time

    import snakemake.cli  # type: ignore[import-untyped,unused-ignore]

    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os.chdir(folder)
            with open("snakemake.log", "w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            for name in [name for name in sys.modules if name.split(".")[0] == "parley"]:
                del sys.modules[name]
            snakemake.cli.main([*arguments])
            os._exit(0)
        except SystemExit as end:
            os._exit(int(end.code or 0) if isinstance(end.code, int | None) else 1)
        except BaseException:
            os._exit(70)
    if kill_after is not None:
        time.sleep(kill_after)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
