"""The price list: what the tokens of well-known models cost, as of when and by which source."""

import difflib
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from parley.config.faults import first_fault
from parley.config.section import Section
from parley.errors import ParleyError

#: The list that comes with Parley.
OURS = Path(__file__).resolve().parents[2] / "resources" / "prices.yaml"


class Price(Section):
    """What a model's tokens cost, in `currency` per million tokens. A batch costs the same unless it has its own price."""

    input: float = Field(ge=0, description="per million prompt tokens")
    output: float = Field(ge=0, description="per million completion tokens")
    cached_input: float | None = Field(default=None, ge=0, description="per million prompt tokens read from a cache")
    batch_input: float | None = Field(default=None, ge=0, description="per million prompt tokens sent in a batch")
    batch_output: float | None = Field(default=None, ge=0, description="per million completion tokens of a batch")
    currency: str = "USD"


class Entry(Price):
    """A price with its date and source."""

    as_of: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$", description="when it was the price: 2026-03 or 2026-03-31")
    source: str = Field(default="", description="where it was read")

    def price(self) -> Price:
        """The price alone."""
        return Price(**self.model_dump(exclude={"as_of", "source"}))


class PriceList(Section):
    """A file of prices by model name, as the model is called at its endpoint."""

    models: dict[str, Entry]


def read_prices(path: str | Path) -> PriceList:
    """Read a price list. Raises `ParleyError` with file, place, fault and remedy."""
    try:
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # a date stays text
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such price list; correct `prices:` in the config") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise ParleyError(f"{path}{where}: not YAML ({getattr(error, 'problem', error)}); mend the line") from None
    try:
        return PriceList.model_validate(data)
    except ValidationError as error:
        raise ParleyError(f"{path}: {first_fault(error, PriceList.model_json_schema())}") from None


def price_of(name: str, lists: list[PriceList]) -> Price | str:
    """The price in the first list that has the model `name`, or a hint for a person if none has it."""
    for prices in lists:
        if name in prices.models:
            return prices.models[name].price()
    known = [known for prices in lists for known in prices.models]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f" (it has {near[0]!r})" if near else ""
