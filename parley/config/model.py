"""What can speak, how it is reached and what may be spent on it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from parley.config.prices import Price
from parley.config.section import Section


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
    gpus: int = Field(default=1, ge=1, description="GPUs that serve it together (vllm)")
    context: int | None = Field(
        default=None,
        ge=256,
        description="most tokens of prompt and answer (llamacpp: at most what the model has, else 4096; vllm: else what "
        "the model has, for which its GPUs must have room)",
    )
    start_timeout: float | None = Field(
        default=None, gt=0, description="seconds until a local engine must answer; else 1800 (vllm) or 120 (llamacpp)"
    )
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
