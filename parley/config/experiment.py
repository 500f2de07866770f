"""The whole config: every part by name, and whether the parts fit together."""

import difflib
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from parley.config.human import Human
from parley.config.learning import LearnsFrom, Policy
from parley.config.model import Budget, Model
from parley.config.names import Name, Seats
from parley.config.published import Paper, Published, by_name
from parley.config.section import Section
from parley.config.studies import Canary, Evaluation, Knowledge, Safety
from parley.config.world import Play, Prompts, TaskSet, World


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
    canary: Canary | None = None
    human: Human | None = Field(default=None, description="the study in which people rate episodes (`docs/people.md`)")
    human_ratings: str | None = Field(
        default=None, description="a parquet file of people's ratings, one row a rater and seat (`docs/tables.md`)"
    )
    published: Annotated[
        Published | None, BeforeValidator(by_name, json_schema_input_type=Published | Paper | None)
    ] = Field(default=None, description="the paper whose numbers its tables show beside ours, where they are alike")
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
            if policy.learns_from is not None:
                self._source(policy.learns_from, f"{at}.learns_from")
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
    def _other_judges(self) -> Self:
        for name, evaluation in self.evaluations.items():
            for judge in evaluation.also_judged_by:
                self._known(judge, "model", self.models, f"evaluations.{name}.also_judged_by")
        return self

    def _source(self, source: LearnsFrom, at: str) -> None:
        self._known(source.tasks, "task set", self.task_sets, f"{at}.tasks")
        if source.played:  # else the files say who played and who judged
            for player in source.players:
                self._known(player, "policy or model", [*self.models, *self.policies], f"{at}.players")
            self._known(source.judge, "model", self.models, f"{at}.judge")

    @model_validator(mode="after")
    def _published(self) -> Self:
        for name in (self.published.players or {}) if self.published else ():
            self._known(name, "policy or reference", self.measured(), "published.players")
        for name in (self.published.evaluations or {}) if self.published else ():
            self._known(name, "evaluation", self.evaluations, "published.evaluations")
        return self

    @model_validator(mode="after")
    def _people(self) -> Self:
        study = self.human
        if study is None:
            return self
        self._known(study.evaluation, "evaluation", self.evaluations, "human.evaluation")
        for name in study.players or ():
            self._known(name, "policy or reference", self.measured(), "human.players")
        if study.simulated_by is not None:
            self._known(study.simulated_by, "model", self.models, "human.simulated_by")
            if self.human_ratings is not None:
                raise ValueError(
                    "human.simulated_by: `human_ratings` names a file of ratings already; delete one of the two"
                )
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
        speakers |= {judge for evaluation in self.evaluations.values() for judge in evaluation.also_judged_by}
        if self.human is not None and self.human.simulated_by is not None:
            speakers.add(self.human.simulated_by)
        if idle := [name for name in self.models if name not in speakers]:
            raise ValueError(f"models.{idle[0]}: nothing uses it; delete it, or name it where it should speak")
        return self

    # -- what follows from the graph ---------------------------------------------------------------------------

    def depends_on(self, policy: str) -> list[str]:
        """The policies that must exist before `policy` can be trained: its parent and its players."""
        entry = self.policies[policy]
        before = [entry.parent] if entry.parent else []
        if entry.learns_from and entry.learns_from.played:
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

    def judges(self) -> list[str]:
        """Every model that judges: for evaluations, for the safety study, and for what policies learn from."""
        found = [judge for evaluation in self.evaluations.values() for judge in evaluation.judges]
        found += [self.safety.judge] if self.safety else []
        sources = [policy.learns_from for policy in self.policies.values() if policy.learns_from]
        found += [source.judge for source in sources if source.played]
        return list(dict.fromkeys(found))

    @staticmethod
    def seatings(player: str, partner: str) -> list[Seats]:
        """Both ways to seat `player` against `partner`; one if they are the same."""
        return list(dict.fromkeys([(player, partner), (partner, player)]))
