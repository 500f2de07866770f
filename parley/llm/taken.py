"""What the calls that a job stands on took."""

from dataclasses import asdict, dataclass, field
from typing import Any

from parley.llm.call import CallFailed, Reply
from parley.llm.troubles import Troubles


@dataclass
class Usage:
    """Sums over the replies that a job stands on. Equal on a replay: tokens and seconds are those of the first time.

    The tokens of replies that came in a batch are told once more by themselves: they have another price.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    retries: int = 0
    failures: int = 0
    batch_prompt_tokens: int = 0
    batch_cached_tokens: int = 0
    batch_completion_tokens: int = 0
    troubles: Troubles = field(default_factory=Troubles)

    def add(self, reply: Reply) -> None:
        """Count one reply."""
        self.calls += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.cached_tokens += reply.cached_tokens
        self.seconds += reply.seconds
        self.retries += reply.retries
        if reply.batched:
            self.batch_prompt_tokens += reply.prompt_tokens
            self.batch_cached_tokens += reply.cached_tokens
            self.batch_completion_tokens += reply.completion_tokens
        self.troubles.retried += reply.retries > 0
        self.troubles.tried(reply.failures)

    def fail(self, failure: CallFailed) -> None:
        """Count a call that was given up."""
        self.failures += 1
        self.troubles.tried(failure.failures)

    def as_dict(self) -> dict[str, Any]:
        """The sums, seconds to the hundredth."""
        return {**asdict(self), "seconds": round(self.seconds, 2)}
