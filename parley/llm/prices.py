"""What calls cost."""

from parley.config import Model
from parley.llm.call import Request

#: An English token has four characters or so; an estimate before a call must not be too low.
CHARACTERS_PER_TOKEN = 2.5


def cost(
    model: Model, prompt_tokens: float, cached_tokens: float, completion_tokens: float, *, batch: bool = False
) -> float | None:
    """What calls cost in the currency of the model's price; 0 for `free`, None if the model has no price.

    `cached_tokens` is the part of `prompt_tokens` that the endpoint read from its cache. With `batch` the calls were
    sent in a batch: a price that names no batch price takes as much as for live calls.
    """
    if model.price is None:
        return None
    if model.price == "free":
        return 0.0
    price = model.price
    fresh_price = _first(price.batch_input if batch else None, price.input)
    cached_price = min(_first(price.cached_input, fresh_price), fresh_price)
    answer_price = _first(price.batch_output if batch else None, price.output)
    fresh = prompt_tokens - cached_tokens
    return (fresh * fresh_price + cached_tokens * cached_price + completion_tokens * answer_price) / 1e6


def _first(preferred: float | None, otherwise: float) -> float:
    return otherwise if preferred is None else preferred


def most(model: Model, request: Request, *, batch: bool = False) -> float:
    """The most that a call may cost: every character of its prompt counted generously, an answer of full length."""
    characters = sum(len(message["content"]) for message in request.messages)
    return cost(model, int(characters / CHARACTERS_PER_TOKEN), 0, model.max_tokens, batch=batch) or 0.0
