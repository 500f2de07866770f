"""Policies: what they are, what they learn from, and how."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from parley.config.names import Seats
from parley.config.section import Section

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
