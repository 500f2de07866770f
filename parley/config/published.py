"""Which published numbers stand beside ours, and which of their rows and task sets ours are."""

from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from parley.config.section import Section

Paper = Literal["sotopia_pi"]
#: The paper's rows: its agents by their part, `expert` being GPT-4 and `partner` GPT-3.5.
PublishedPlayer = Literal["base", "sr", "bc", "bc_sr", "sr_bc", "expert", "partner"]
#: The paper's task sets: 180 data points on all tasks, 140 on the hard ones, 28 on these that people rated.
PublishedTasks = Literal["all", "hard", "hard_28"]


class Published(Section):
    """The published numbers that the paper's tables show beside ours. What is not mapped stands alone."""

    paper: Paper
    players: dict[str, PublishedPlayer] | None = Field(
        default=None, description="our policies and references by the paper's rows; those of the same name by default"
    )
    evaluations: dict[str, PublishedTasks] | None = Field(
        default=None, description="our evaluations by the paper's task sets; those of the same name by default"
    )

    @field_validator("paper", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if value not in get_args(Paper):
            raise ValueError(
                f"there are no published numbers called {value!r}; there are: {', '.join(get_args(Paper))}"
            )
        return value

    def row(self, player: str) -> str | None:
        """The paper's row that a policy or reference of ours is; None if it is none of them."""
        if self.players is not None:
            return self.players.get(player)
        return player if player in get_args(PublishedPlayer) else None

    def tasks(self, evaluation: str) -> str | None:
        """The paper's task set that an evaluation of ours is on; None if it is none of them."""
        if self.evaluations is not None:
            return self.evaluations.get(evaluation)
        return evaluation if evaluation in get_args(PublishedTasks) else None


def by_name(value: Any) -> Any:
    """`published: sotopia_pi` is short for the paper with its names as ours."""
    return {"paper": value} if isinstance(value, str) else value
