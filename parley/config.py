"""The experiment as typed objects: models, task sets, policies, evaluations.

The JSON schema and the table in `docs/configuration.md` are generated from these classes (`parley.reference`).
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from parley.config_faults import first_fault
from parley.errors import ParleyError
from parley.pricelist import OURS, Price, price_of, read_prices
from parley.section import Section

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower case, digits and _")]
Seats = tuple[str, str]


class Batch(Section):
    """How a model's calls go through its endpoint's Batch API: half the price, an answer within hours.

    Only where each call stands alone: writing tasks and rating. Playing, turn by turn, stays live.
    """

    poll: float = Field(default=60, gt=0, description="seconds between two looks at a batch")
    hours: float = Field(default=24, gt=0, le=24, description="longest wait; what has no answer then is sent live")
    fewest: int = Field(default=8, ge=1, description="fewer calls than these are sent live")


def _switched(value: Any) -> Any:
    if not isinstance(value, bool | dict | Batch | None):
        raise ValueError("give `true`, `false` or {poll: …, hours: …, fewest: …}")
    return ({} if value else None) if isinstance(value, bool) else value


class Model(Section):
    """Something that can speak, reached over the OpenAI chat protocol.

    What the model is (engine, name, path, revision, sampling) is part of every call's identity. How it is reached
    (base_url, api_key_env, concurrency, batch, price) is not: moving a server makes nothing stale.
    """

    engine: Literal["openai", "llamacpp", "vllm", "playhouse"]
    name: str = Field(default="", description="the model's name at its endpoint; the playhouse's speaker")
    path: str | None = Field(default=None, description="folder of a local checkpoint (llamacpp, vllm)")
    revision: str = Field(default="", description="a version of the model that its name does not tell")
    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=1)
    base_url: str | None = Field(default=None, description="address of the endpoint (openai)")
    api_key_env: str | None = Field(default=None, description="name of the environment variable that holds the key")
    concurrency: int = Field(default=32, ge=1, description="most calls in flight per job; adapts downwards")
    timeout: float = Field(default=120.0, gt=0, description="seconds to wait for one answer")
    batch: Annotated[Batch | None, BeforeValidator(_switched, json_schema_input_type=Batch | bool | None)] = Field(
        default=None, description="`true`: tasks and ratings go through the Batch API (openai)"
    )
    price: Price | Literal["free"] | None = Field(
        default=None, description="else it is looked up; `free` costs nothing"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.engine == "openai" and not self.name:
            raise ValueError("an openai model needs `name`: the model's name at its endpoint")
        if self.engine != "openai" and self.batch is not None:
            raise ValueError("batch is for `engine: openai`, whose endpoint has a Batch API; delete it")
        if self.engine in ("llamacpp", "vllm") and not self.path:
            raise ValueError(f"a {self.engine} model needs `path`: the folder of its checkpoint")
        if self.engine == "playhouse" and not self.name:
            raise ValueError("a playhouse model needs `name`: writer, expert, partner or judge")
        return self

    def identity(self) -> dict[str, Any]:
        """What decides an answer: engine, name, revision and sampling; never address, key, concurrency or price."""
        return {
            "engine": self.engine,
            "name": self.name,
            "revision": self.revision,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
        }


class Prompts(Section):
    """The templates of every text that a model sees."""

    task: str = Field(default="prompts/task.jinja", description="asks the writer for a task")
    turn: str = Field(default="prompts/turn.jinja", description="asks an agent for its next action")
    rating: str = Field(default="prompts/rating.jinja", description="asks the judge for fourteen marks")
    retry: str = Field(default="prompts/retry.jinja", description="asks once more after an answer that cannot be read")


class World(Section):
    """Who lives in the social world."""

    characters: str = "resources/characters.jsonl"
    relationships: str = "resources/relationships.jsonl"
    keywords: str = "resources/keywords.jsonl"


class TaskSet(Section):
    """Tasks to play: `count` written by `writer` from fresh keywords, or those of a `file` (yours to edit)."""

    file: str | None = Field(default=None, description="a JSONL file of tasks; nothing is written then")
    count: int | None = Field(default=None, ge=1, description="tasks to write")
    writer: str | None = Field(default=None, description="the model that writes them")
    casts: int = Field(default=1, ge=1, description="pairs of characters drawn per task")
    casts_by_tag: dict[str, int] = Field(default_factory=dict, description="other numbers of pairs for tagged tasks")
    cast_seed: int | None = Field(default=None, ge=0, description="draws other pairs; the experiment's seed by default")
    shards: int = Field(default=1, ge=1, le=512, description="files (and jobs) that the set is cut into")
    similarity: float = Field(default=0.85, gt=0, le=1, description="character n-gram overlap that makes a duplicate")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.count is None):
            raise ValueError("give either `file` or `count` with `writer`")
        if self.count is not None and self.writer is None:
            raise ValueError("`count` needs `writer`: the model that writes the tasks")
        if self.file is not None and self.writer is not None:
            raise ValueError("the tasks of a `file` are written already; delete `writer`")
        if any(number < 1 for number in self.casts_by_tag.values()):
            raise ValueError("casts_by_tag: a count is at least 1")
        return self

    def casts_for(self, tags: Iterable[str]) -> int:
        """How many casts a task with these tags gets: the most that any of its tags asks for."""
        return max([self.casts_by_tag[tag] for tag in tags if tag in self.casts_by_tag], default=self.casts)


class Play(Section):
    """How episodes are played (arXiv 2310.11667, section 2; sotopia v0.0.10)."""

    max_turns: int = Field(default=20, ge=2, description="acts of both seats together")
    max_silence: int = Field(default=2, ge=0, description="more silent acts in a row than this end the episode")
    stale_rule: Literal["acting", "legacy"] = Field(
        default="acting", description="`legacy` counts the waiting seat's silence too, as sotopia v0.0.10 did"
    )
    history: int | None = Field(default=None, ge=1, description="newest turns that a prompt shows; all by default")
    replicates: int = Field(default=1, ge=1, description="plays of each task, cast and players")


Rule = Literal["bc", "sr"]


class Selection(Section):
    """Which rated seats are learned from (paper, appendix B.2)."""

    rule: Rule
    reward: str = Field(default="goal", description="the dimension that ranks; ties are broken by overall")
    top: int = Field(default=2, ge=1, description="bc: ranks per task and seat that are always kept")
    share: float = Field(default=0.2, gt=0, le=1, description="sr: share of each task's candidates that is kept")


class Training(Section):
    """Supervised fine-tuning of a LoRA adapter (paper, appendix B.5)."""

    epochs: float = Field(default=3, gt=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps")
    batch_size: int = Field(default=16, ge=1)
    max_length: int = Field(default=4096, ge=16, description="tokens; a longer sample is dropped and counted")
    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    target_modules: str | tuple[str, ...] = Field(default="all-linear")
    seed: int = Field(default=1, ge=0)


def _by_rule(value: Any) -> Any:
    return {"rule": value} if isinstance(value, str) else value


class LearnsFrom(Section):
    """What a policy is trained on: rated episodes of `players` on `tasks`, filtered by `selection`."""

    players: Seats
    tasks: str
    judge: str
    selection: Annotated[Selection, BeforeValidator(_by_rule, json_schema_input_type=Selection | Rule)] = Field(
        description="the rule alone, if the rest stays as it is"
    )


class Policy(Section):
    """A base model, or a parent's weights trained further. The graph of parents has no cycle."""

    model: str | None = Field(default=None, description="a base policy: this model as it is")
    parent: str | None = Field(default=None, description="the policy whose weights training starts from")
    learns_from: LearnsFrom | None = None
    training: Training = Training()

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.model is None) == (self.parent is None):
            raise ValueError("a policy has either `model` (a base) or `parent` with `learns_from`")
        if (self.parent is None) != (self.learns_from is None):
            raise ValueError("`parent` and `learns_from` go together")
        return self


class Evaluation(Section):
    """Measures policies against a fixed partner, in both seats."""

    tasks: str
    partner: str
    judge: str
    tag: str | None = Field(default=None, description="only tasks with this tag")
    casts: int | None = Field(default=None, ge=1, description="only the first so many casts of each task")


class Knowledge(Section):
    """A multiple-choice test run by lm-eval on each policy (paper, Table 4)."""

    test: str = "resources/knowledge/test.jsonl"
    dev: str = "resources/knowledge/dev.jsonl"
    shots: int = Field(default=5, ge=0)


class Safety(Section):
    """The study of the paper's Table 3 on tasks whose seats have the roles `instigator` and `bystander`."""

    tasks: str
    partner: str
    judge: str
    lexicon: str = "resources/toxic_words.txt"


class Budget(Section):
    """The most that one run may spend; calls that would exceed it are not made."""

    amount: float | None = Field(default=None, gt=0, description="by all models together")
    models: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="by single models, with the policies that were trained from them"
    )
    currency: str = "USD"

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.amount is None and not self.models:
            raise ValueError("give `amount`, the most for all models together, or `models` with amounts by name")
        return self


class Experiment(Section):
    """The whole config file."""

    experiment: Name = Field(description="names the folder below results/")
    seed: int = Field(default=1, ge=0)
    models: dict[Name, Model]
    prompts: Prompts = Prompts()
    world: World = World()
    task_sets: dict[Name, TaskSet]
    play: Play = Play()
    policies: dict[Name, Policy]
    references: tuple[str, ...] = Field(default=(), description="models that are measured beside the policies")
    evaluations: dict[Name, Evaluation]
    knowledge: Knowledge | None = None
    safety: Safety | None = None
    budget: Budget | None = None
    prices: str | None = Field(default=None, description="a price list of your own, before `resources/prices.yaml`")

    # -- names -------------------------------------------------------------------------------------------------

    @model_validator(mode="after")
    def _names(self) -> Self:
        if not self.policies:
            raise ValueError("policies: there is none; add one, such as `base: {model: …}`")
        if both := sorted(set(self.models) & set(self.policies)):
            raise ValueError(f"{both[0]!r} names both a model and a policy; rename one")
        for name, task_set in self.task_sets.items():
            if task_set.writer is not None:
                self._known(task_set.writer, "model", self.models, f"task_sets.{name}.writer")
        speakers = [*self.models, *self.policies]
        for name, policy in self.policies.items():
            at = f"policies.{name}"
            if policy.model is not None:
                self._known(policy.model, "model", self.models, f"{at}.model")
            if policy.parent is not None:
                self._known(policy.parent, "policy", self.policies, f"{at}.parent")
            if (source := policy.learns_from) is not None:
                for player in source.players:
                    self._known(player, "policy or model", speakers, f"{at}.learns_from.players")
                self._known(source.tasks, "task set", self.task_sets, f"{at}.learns_from.tasks")
                self._known(source.judge, "model", self.models, f"{at}.learns_from.judge")
        for name in self.references:
            self._known(name, "model", self.models, "references")
        measured: list[tuple[str, Evaluation | Safety]] = [
            (f"evaluations.{name}", evaluation) for name, evaluation in self.evaluations.items()
        ]
        if self.safety is not None:
            measured.append(("safety", self.safety))
        for at, study in measured:
            self._known(study.tasks, "task set", self.task_sets, f"{at}.tasks")
            self._known(study.partner, "policy or model", speakers, f"{at}.partner")
            self._known(study.judge, "model", self.models, f"{at}.judge")
        return self

    @model_validator(mode="after")
    def _limits(self) -> Self:
        for name in self.budget.models if self.budget else ():
            self._known(name, "model", self.models, "budget.models")
        return self

    @staticmethod
    def _known(name: str, kind: str, names: Iterable[str], at: str) -> None:
        names = list(names)
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"
            raise ValueError(f"{at}: no {kind} is called {name!r}; {hint}")

    @model_validator(mode="after")
    def _acyclic(self) -> Self:
        done: set[str] = set()

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                raise ValueError(
                    f"policies.{name}: learns from itself ({' → '.join([*path[path.index(name) :], name])}); break the cycle"
                )
            if name not in done:
                for before in self.depends_on(name):
                    visit(before, (*path, name))
                done.add(name)

        for name in self.policies:
            visit(name, ())
        return self

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        for name, policy in self.policies.items():
            if policy.parent is not None and self.model_of(name).path is None:
                raise ValueError(
                    f"policies.{name}: is trained from the model {self.base_of(name)!r}, which has no `path`; "
                    "only a local checkpoint can be trained"
                )
        return self

    @model_validator(mode="after")
    def _no_idle_entries(self) -> Self:
        sets = {source.tasks for policy in self.policies.values() if (source := policy.learns_from)}
        sets |= {evaluation.tasks for evaluation in self.evaluations.values()}
        sets |= {self.safety.tasks} if self.safety else set()
        if idle := [name for name in self.task_sets if name not in sets]:
            raise ValueError(
                f"task_sets.{idle[0]}: nothing plays it; delete it, or name it in a policy or an evaluation"
            )
        speakers = {policy.model for policy in self.policies.values()} | set(self.references)
        speakers |= {task_set.writer for task_set in self.task_sets.values()}
        for policy in self.policies.values():
            if policy.learns_from:
                speakers |= {*policy.learns_from.players, policy.learns_from.judge}
        studies: list[Evaluation | Safety] = [*self.evaluations.values(), *([self.safety] if self.safety else [])]
        for study in studies:
            speakers |= {study.partner, study.judge}
        if idle := [name for name in self.models if name not in speakers]:
            raise ValueError(f"models.{idle[0]}: nothing uses it; delete it, or name it where it should speak")
        return self

    # -- what follows from the graph ---------------------------------------------------------------------------

    def depends_on(self, policy: str) -> list[str]:
        """The policies that must exist before `policy` can be trained: its parent and its players."""
        entry = self.policies[policy]
        before = [entry.parent] if entry.parent else []
        if entry.learns_from:
            before += [player for player in entry.learns_from.players if player in self.policies]
        return list(dict.fromkeys(before))

    def base_of(self, policy: str) -> str:
        """The name of the model that `policy` is, or was trained from."""
        entry = self.policies[policy]
        return entry.model if entry.model is not None else self.base_of(str(entry.parent))

    def model_name(self, player: str) -> str:
        """The name in `models` of what answers for `player`, a policy or a model."""
        return self.base_of(player) if player in self.policies else player

    def model_of(self, player: str) -> Model:
        """The model that answers for `player`, a policy or a model."""
        return self.models[self.model_name(player)]

    def trained(self, player: str) -> bool:
        """True if `player` is a policy with an adapter of its own."""
        return player in self.policies and self.policies[player].parent is not None

    def measured(self) -> list[str]:
        """Everything that evaluations measure: the policies, then the references."""
        return [*self.policies, *self.references]

    @staticmethod
    def seatings(player: str, partner: str) -> list[Seats]:
        """Both ways to seat `player` against `partner`; one if they are the same."""
        return list(dict.fromkeys([(player, partner), (partner, player)]))


def check(data: Any, source: str = "config") -> Experiment:
    """Parse a config, and look up the prices that it leaves to the lists.

    Raises `ParleyError` with one line: the file, the YAML path, the fault and the remedy.
    """
    try:
        return _priced(Experiment.model_validate(data), source)
    except ValidationError as error:
        raise ParleyError(f"{source}: {first_fault(error, Experiment.model_json_schema())}") from None


def _priced(experiment: Experiment, source: str) -> Experiment:
    """The experiment with a price at every remote model: its own, or that of the user's list, or that of ours."""
    unpriced = {name: m for name, m in experiment.models.items() if m.engine == "openai" and m.price is None}
    if not unpriced:
        return experiment
    lists = [read_prices(path) for path in (experiment.prices, OURS) if path]
    priced = {}
    for name, model in unpriced.items():
        price = price_of(model.name, lists)
        if isinstance(price, str):
            raise ParleyError(
                f"{source}: models.{name}.price: no price list has {model.name!r}{price}; write "
                "`price: {input: …, output: …}` (per million tokens), or `price: free`"
            )
        priced[name] = model.model_copy(update={"price": price})
    return experiment.model_copy(update={"models": experiment.models | priced})


def load(path: str | Path) -> Experiment:
    """Read a YAML config. Raises `ParleyError` as `check` does, and for a file that is missing or not YAML."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such config file") from None
    except UnicodeDecodeError as error:
        raise ParleyError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise ParleyError(f"{path}{where}: not YAML ({getattr(error, 'problem', error)}); mend the line") from None
    return check(data, str(path))
