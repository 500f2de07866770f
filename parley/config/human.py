"""The study in which people rate episodes: which episodes, and how many raters each (paper, section 5 and appendix C)."""

from typing import Self

from pydantic import Field, model_validator

from parley.config.section import Section


class Human(Section):
    """People rate episodes of an evaluation, both seats on all seven dimensions, without knowing who the policy is."""

    evaluation: str = Field(description="whose episodes are rated")
    per_policy: int = Field(default=28, ge=1, description="episodes of each player; 28 in the paper")
    raters: int = Field(default=2, ge=1, description="of each episode; one more where something is doubtful")
    seed: int | None = Field(default=None, ge=0, description="draws other episodes; the experiment's seed by default")
    players: tuple[str, ...] | None = Field(
        default=None, description="whose episodes; all policies and references by default"
    )
    simulated_by: str | None = Field(
        default=None, description="a model that plays the raters; what it rates is labelled simulated"
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.players is not None and not self.players:
            raise ValueError("players: there is none; name some, or delete the line for all that are measured")
        return self
