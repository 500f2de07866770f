"""Policies: what they are, what they learn from, and how."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from parley.config.names import Seats
from parley.config.section import Section

Rule = Literal["bc", "sr", "top", "threshold"]
#: `on`, `off` (which YAML reads as true and false), or what the machine suggests.
Auto = bool | Literal["auto"]


class Selection(Section):
    """Which rated seats are learned from: `bc` and `sr` as in the paper's appendix B.2, or one of two others.

    `top` keeps the best of each task and seat and nothing else, as the authors' last code does with one each;
    `threshold` keeps what reaches a score, as the paper tells of its first trials (section 3).
    """

    rule: Rule
    reward: str = Field(default="goal", description="the dimension that ranks, or `overall`, which also breaks ties")
    top: int = Field(default=2, ge=1, description="bc: ranks per task and seat that are always kept; top: all of them")
    share: float = Field(default=0.2, gt=0, le=1, description="sr: share of each task's candidates that is kept")
    within: Literal["seat", "task"] = Field(
        default="seat", description="sr: what a share is of; each seat by itself, or both"
    )
    threshold: float = Field(default=7, description="threshold: the least reward that is kept")
    tasks: float = Field(
        default=1, gt=0, le=1, description="share of the tasks that is learned from; a smaller one is part of a greater"
    )

    def words(self) -> str:
        """The rule in a few words, with the numbers that matter to it."""
        by = "" if self.reward == "goal" else f" by {self.reward}"
        part = "" if self.tasks == 1 else f", of {100 * self.tasks:.4g} % of the tasks"
        return (
            {
                "bc": f"bc, the top {self.top} and what passes the bar",
                "sr": f"sr, the best {100 * self.share:.4g} %" + (" of both seats" if self.within == "task" else ""),
                "top": f"the top {self.top} of each task and seat",
                "threshold": f"at least {self.threshold:.4g}",
            }[self.rule]
            + by
            + part
        )


class Training(Section):
    """Supervised fine-tuning of a LoRA adapter (paper, appendix B.5)."""

    epochs: float = Field(default=3, gt=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    schedule_epochs: float | None = Field(
        default=None,
        gt=0,
        description="epochs that the schedule is made for, where training stops before; else `epochs`",
    )
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps")
    batch_size: int = Field(default=16, ge=1)
    max_length: int = Field(default=4096, ge=16, description="tokens; a longer sample is dropped and counted")
    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    target_modules: str | tuple[str, ...] = Field(default="all-linear")
    quantization: Literal["none", "nf4"] = Field(
        default="none", description="nf4: the base in 4 bits, doubly quantised (QLoRA); needs a GPU and bitsandbytes"
    )
    packing: Auto = Field(
        default="auto",
        description="samples one after the other in a sequence, without padding; auto: on a GPU",
    )
    checkpointing: Auto = Field(
        default="auto",
        description="compute activations twice instead of keeping them; auto: on a GPU whose memory asks for it",
    )
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _schedule_lasts(self) -> Self:
        if self.schedule_epochs is not None and self.schedule_epochs < self.epochs:
            raise ValueError("schedule_epochs is less than epochs: a schedule must last as long as the training")
        return self


def _by_rule(value: Any) -> Any:
    return {"rule": value} if isinstance(value, str) else value


class LearnsFrom(Section):
    """What a policy is trained on: rated episodes of `players` on `tasks`, filtered by `selection`.

    They are played and rated in the run, unless `episodes` and `ratings` name files that hold them already.
    """

    players: Seats
    tasks: str
    judge: str
    selection: Annotated[Selection, BeforeValidator(_by_rule, json_schema_input_type=Selection | Rule)] = Field(
        description="the rule alone, if the rest stays as it is"
    )
    episodes: str | None = Field(default=None, description="a file of episodes, such as imported ones; none are played")
    ratings: str | None = Field(default=None, description="the file of their ratings")

    @model_validator(mode="after")
    def _both_files(self) -> Self:
        if (self.episodes is None) != (self.ratings is None):
            raise ValueError("`episodes` and `ratings` go together: give both files, or neither to play and rate them")
        return self

    @property
    def played(self) -> bool:
        """True if the run plays and rates the episodes; False if they lie in files."""
        return self.episodes is None


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
