"""How long a text is to a model: the tokens of a tokenizer file, counted once a process has read it."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from parley.errors import ParleyError

#: Gives the number of tokens of a text, without the marks that a chat template adds.
Measure = Callable[[str], int]


@lru_cache(maxsize=8)
def measure(path: str) -> Measure:
    """What counts tokens as the `tokenizer.json` at `path` cuts them. Raises `ParleyError` if it is not one."""
    from tokenizers import Tokenizer

    if not Path(path).is_file():
        raise ParleyError(
            f"{path}: no such tokenizer; download the checkpoint that has it, or correct play.tokenizer in the config"
        )
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # the library raises nothing narrower
        raise ParleyError(f"{path}: not a tokenizer.json ({str(error).splitlines()[0]})") from None
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
