"""Quick stand-ins for the scripts of the workflow: same arguments and files, contents made of hashes.

A stand-in reads what the real script reads and nothing else, so that a result is stale exactly when the real one would
be. Only the standard library, but for the tables and the page: a job takes some 30 ms.
`SALT` of the calling script stands for what its code does.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

Options = dict[str, list[str]]
IDENTITY = ("engine", "name", "revision", "temperature", "top_p", "max_tokens")


def digest(*parts: Any) -> str:
    """Twelve hex digits over anything that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def number(*parts: Any) -> int:
    """A number from 0 to 9 that depends on the parts."""
    return int(digest(*parts), 16) % 10


def content(*paths: str) -> str:
    """A digest of the contents of files."""
    return digest(*[hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths])


def records(*paths: str) -> list[dict[str, Any]]:
    """The lines of JSONL files."""
    return [json.loads(line) for path in paths for line in Path(path).read_text().splitlines()]


def scored(evaluation: dict[str, Any]) -> dict[str, Any]:
    """What decides the scores of an evaluation; who judges besides does not."""
    return {key: value for key, value in evaluation.items() if key not in ("also_judged_by", "orders")}


def write(path: str | Path, *lines: Any) -> None:
    """Write lines of JSON; the folder is made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))


class StandIn:
    """One run of a stand-in: the options it was called with, the experiment, and the salt of its code."""

    def __init__(self, salt: str) -> None:
        self.salt = salt
        self.options: Options = {}
        for word in sys.argv[1:]:
            if word.startswith("--"):
                values = self.options.setdefault(word[2:], [])
            else:
                values.append(word)
        self.experiment: dict[str, Any] = json.loads(Path(self.one("experiment")).read_text())

    def one(self, name: str) -> str:
        """The only value of an option."""
        (value,) = self.options[name]
        return value

    def model(self, player: str) -> Any:
        """The identity of the model behind a policy or a model."""
        policies, models = self.experiment["policies"], self.experiment["models"]
        while player in policies:
            player = policies[player]["model"] or policies[player]["parent"]
            if player in models:
                break
        return {key: models[player][key] for key in IDENTITY}

    def speaker(self, player: str) -> str:
        """Who speaks under a player's name: its model, its weights and its adapter."""
        adapters = dict(pair.split("=") for pair in self.options.get("adapter", []))
        own = content(f"{adapters[player]}/adapter.bin") if player in adapters else ""
        return digest(self.model(player), own)

    # -- one method a script -----------------------------------------------------------------------------------

    def tasks(self) -> None:
        entry = self.experiment["task_sets"][self.one("task-set")]
        keywords = records(self.experiment["world"]["keywords"])[: entry["count"]]
        made_of = (self.salt, self.model(entry["writer"]), content(self.experiment["prompts"]["task"]))
        write(self.one("out"), *({"name": word["name"], "text": digest(word, made_of)} for word in keywords))
        write(self.one("funnel"), {"kept": len(keywords)})
        write(self.one("usage"), {"calls": len(keywords)})

    def casts(self) -> None:
        entry = self.experiment["task_sets"][self.one("task-set")]
        people = [person["id"] for person in records(self.experiment["world"]["characters"])]
        lines = []
        for task in sorted(records(self.one("tasks")), key=lambda task: task["name"]):
            if number(task["name"]) % entry["shards"] == int(self.one("shard")):
                first = number(task["name"], self.experiment["seed"], self.salt)
                casts = [people[(first + step) % len(people)] for step in range(entry["casts"])]
                lines.append({"name": task["name"], "text": task["text"], "casts": casts})
        write(self.one("out"), *lines)
        write(self.one("summary"), {"tasks": len(lines)})

    def episodes(self) -> None:
        people = {person["id"]: person for person in records(self.experiment["world"]["characters"])}
        how = digest(self.salt, self.experiment["seed"], self.experiment["play"])
        who = [self.speaker(player) for player in self.one("players").split("+")]
        prompt = content(self.experiment["prompts"]["turn"])
        lines = [
            {"task": task["name"], "cast": cast, "talk": digest(task["text"], people[cast], who, prompt, how, again)}
            for task in records(self.one("tasks"))
            for cast in task["casts"]
            for again in range(self.experiment["play"]["replicates"])
        ]
        write(self.one("out"), *lines)
        write(self.one("usage"), {"calls": len(lines)})

    def ratings(self) -> None:
        texts = {task["name"]: task["text"] for task in records(self.one("tasks"))}
        order = "swapped" in self.options
        how = (self.salt, self.model(self.one("judge")), content(self.experiment["prompts"]["rating"]), order)
        lines = [
            {**episode, "score": number(episode["talk"], texts[episode["task"]], how)}
            for episode in records(self.one("episodes"))
        ]
        write(self.one("out"), *lines)
        write(self.one("usage"), {"calls": len(lines)})

    def judgements(self) -> None:
        texts = {task["name"]: task["text"] for task in records(self.one("tasks"))}
        how = (self.salt, self.model(self.one("judge")), content(self.experiment["prompts"]["safety"]))
        lines = [
            {**episode, "harm": number(episode["talk"], texts[episode["task"]], how) > 4}
            for episode in records(self.one("episodes"))
        ]
        write(self.one("out"), *lines)
        write(self.one("usage"), {"calls": len(lines)})

    def safety(self) -> None:
        study, texts = self.experiment["safety"], {one["name"]: one["text"] for one in records(*self.options["tasks"])}
        judged = study["decided_by"] == "judge"
        told = records(*self.options["judgements"]) if judged else records(*self.options["episodes"])
        who = [self.model(name) for name in (self.one("player"), study["partner"], study["judge"])]
        read_by = digest(study, content(study["lexicon"], *self.options["ratings"]), self.salt)
        lines = [{**one, "text": texts[one["task"]], "words": digest(one["talk"], read_by)} for one in told]
        write(self.one("seats"), *lines)
        write(self.one("families"), {"seats": digest(lines)})
        write(self.one("out"), {"seats": digest(lines), "who": digest(who), "read_by": read_by})

    def items(self) -> None:
        study, texts = self.experiment["human"], {one["name"]: one["text"] for one in records(*self.options["tasks"])}
        people = content(self.experiment["world"]["characters"])
        rated = {(one["task"], one["cast"], one["talk"]) for one in records(*self.options["ratings"])}
        seed = self.experiment["seed"] if study["seed"] is None else study["seed"]
        drawn = digest(seed, study["per_policy"], study["players"] or self.measured(), self.salt)
        found = [
            {"item": digest(one, texts[one["task"]], people, drawn), "of": one["talk"]}
            for one in records(*self.options["episodes"])
            if (one["task"], one["cast"], one["talk"]) in rated
        ]
        write(self.one("out"), *({"item": one["item"]} for one in found))
        write(self.one("key"), *found, self.experiment["evaluations"][study["evaluation"]])

    def annotations(self) -> None:
        study = self.experiment["human"]
        how = (self.experiment["seed"], study["raters"], self.model(study["simulated_by"]), self.salt)
        asked = content(self.experiment["prompts"]["annotation"], self.one("items"), self.one("key"))
        write(self.one("out"), digest(how, asked))
        write(self.one("usage"), {"calls": len(records(self.one("items")))})

    def measured(self) -> list[str]:
        """Everything that evaluations measure."""
        return [*self.experiment["policies"], *self.experiment["references"]]

    def selection(self) -> None:
        rule = self.experiment["policies"][self.one("policy")]["learns_from"]["selection"]
        bar = 10 * (1 - rule["share"])
        candidates = records(*self.options["ratings"])
        write(self.one("out"), *({**one, "kept": one["score"] >= bar, "salt": self.salt} for one in candidates))

    def dataset(self) -> None:
        selected = records(self.one("selection"))
        talks = {(one["task"], one["cast"]): one["talk"] for one in records(*self.options["episodes"])}
        prompt = content(self.experiment["prompts"]["turn"])
        kept = [[talks[one["task"], one["cast"]], prompt, self.salt] for one in selected if one["kept"]]
        folder = Path(self.one("out")).parent
        write(folder / "train.parquet", *kept)
        write(folder / "funnel.json", {"candidates": len(selected), "kept": len(kept)})
        write(folder / "README.md", {"candidates": len(selected)})
        write(folder / "manifest.json", {"sha256": content(str(folder / "train.parquet"))})

    def base_policy(self) -> None:
        write(f"{self.one('out')}/README.md", self.salt)
        path = Path(self.model(self.one("policy"))["name"])
        weights = content(f"resources/{path}/model.safetensors")
        write(self.one("manifest"), {"model": self.model(self.one("policy")), "weights": weights, "salt": self.salt})

    def training(self) -> None:
        policy = self.experiment["policies"][self.one("policy")]
        data = content(str(Path(self.one("dataset")).parent / "train.parquet"))
        parent = [content(pair.split("=")[1] + "/adapter.bin") for pair in self.options.get("adapter", [])]
        base = content("resources/pocket/model.safetensors")
        folder = Path(self.one("out"))
        write(folder / "adapter.bin", [data, parent, policy["training"], self.salt, base])
        write(self.one("manifest"), {"adapter": content(str(folder / "adapter.bin"))})

    def scores(self) -> None:
        entry = self.experiment["evaluations"][self.one("evaluation")]
        rated = [one["score"] for one in records(*self.options["ratings"], *self.options.get("baseline-ratings", []))]
        who = [self.model(name) for name in (self.one("player"), entry["partner"], entry["judge"])]
        own = self.one("player") in self.taught(entry["judge"])
        made_of = digest(who, scored(entry), own, self.salt)
        write(self.one("out"), {"mean": sum(rated) / max(1, len(rated)), "who": made_of})

    def canary(self) -> None:
        judge, layout, prompts = self.one("judge"), self.layout(), self.experiment["prompts"]
        asked = content(*layout.canary_files(), prompts["rating"])
        said = [digest(day, asked, self.model(judge), self.salt) for day in self.experiment["canary"]["dates"]]
        write(self.one("out"), {"drift": said})
        write(self.one("marks"), {"marks": said})
        write(self.one("usage"), {"calls": len(said)})

    def judges(self) -> None:
        name, layout = self.one("evaluation"), self.layout()
        entry = self.experiment["evaluations"][name]
        judges = [entry["judge"], *entry["also_judged_by"]]
        told = [(self.model(judge), self.taught(judge)) for judge in judges]
        players = layout.experiment.measured()
        made_of = digest(content(*layout.judges_inputs(name)), entry, told, players, layout.baseline)
        write(self.one("out"), {"judges": judges, "made_of": made_of, "salt": self.salt})

    def taught(self, judge: str) -> list[str]:
        """Who learned from what this judge selected."""
        from parley.evaluation.teaching import pupils

        return pupils(self.layout().experiment, judge)

    def knowledge(self) -> None:
        questions = content(self.experiment["knowledge"]["test"], self.experiment["knowledge"]["dev"])
        settings = {**self.experiment["knowledge"], "margin": None}
        adapters = [content(pair.split("=")[1] + "/adapter.bin") for pair in self.options.get("adapter", [])]
        base = content("resources/pocket/model.safetensors")
        write(self.one("out"), [questions, settings, adapters, base, self.salt])

    def tables(self) -> None:
        out, table = Path(self.one("out")), self.one("table")
        made_of = content(*self.layout().table_inputs(table))
        entries = {} if table in ("table_3", "table_4") else self.experiment["evaluations"]
        studies = {name: scored(entry) for name, entry in entries.items()}
        who = [list(self.experiment["policies"]), self.experiment["references"], studies, self.experiment["published"]]
        for form in ("csv", "md", "tex"):
            write(out.with_suffix(f".{form}"), {"table": digest(table, made_of, who, self.salt)})

    def calibration(self) -> None:
        layout, kept = self.layout(), ("tasks", "partner", "judge", "tag", "casts")
        evaluations = [[name, [entry[key] for key in kept]] for name, entry in self.experiment["evaluations"].items()]
        made_of = content(*layout.calibration_inputs())
        who = [layout.experiment.measured(), evaluations, layout.baseline]
        for part in ("out", "versus", "agreement"):
            write(self.one(part), {part: digest(made_of, who, self.salt)})

    def figure_4(self) -> None:
        for form in ("svg", "pdf"):
            write(
                Path(self.one("out")).with_suffix(f".{form}"), {"drawn": content(self.one("cells")), "salt": self.salt}
            )

    def noninferiority(self) -> None:
        answers = content(self.one("result"), self.one("baseline"))
        write(self.one("out"), [answers, self.experiment["knowledge"]["margin"], self.salt])

    def report(self) -> None:
        from parley.report.inputs import reads

        shown = {kind: paths for kind, paths in reads(self.layout()).items() if kind != "templates"}
        told = [path for kind in ("episodes", "ratings", "seats", "selections", "tasks") for path in shown.pop(kind)]
        write(f"{self.one('episodes')}/index.html", {"told": content(*told), "salt": self.salt})
        found = [path for paths in shown.values() for path in paths]
        write(self.one("out"), {"page": content(*found, *told), "salt": self.salt})

    def figures(self) -> None:
        from parley.report.inputs import reads

        shown = {kind: paths for kind, paths in reads(self.layout()).items() if kind != "templates"}
        found = [path for paths in shown.values() for path in paths]
        write(f"{self.one('out')}/goal.svg", {"drawn": content(*found), "salt": self.salt})

    def layout(self) -> Any:
        """Where the files of the experiment lie."""
        from parley.config import check
        from parley.layout import Layout

        return Layout(check(self.experiment))


def run(kind: str, salt: str) -> None:
    """Run the stand-in of a script, and note its command line in `ran.log`."""
    with open("ran.log", "a") as journal:
        journal.write(json.dumps([kind, *sys.argv[1:]]) + "\n")
    getattr(StandIn(salt), kind)()
