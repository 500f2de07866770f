"""A config file read and checked, with the prices that it leaves to the lists."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from parley.config.experiment import Experiment
from parley.config.faults import first_fault
from parley.config.prices import OURS, price_of, read_prices
from parley.errors import ParleyError


def check(data: Any, source: str = "config") -> Experiment:
    """Parse a config, and look up the prices that it leaves to the lists.

    Raises `ParleyError` with one line: the file, the YAML path, the fault and the remedy.
    """
    try:
        return _priced(Experiment.model_validate(data), source)
    except ValidationError as error:
        raise ParleyError(f"{source}: {first_fault(error, Experiment.model_json_schema())}") from None


def _priced(experiment: Experiment, source: str) -> Experiment:
    """The experiment with a price at every remote model: its own, or that of the user's list, or that of ours."""
    unpriced = {name: m for name, m in experiment.models.items() if m.engine == "openai" and m.price is None}
    if not unpriced:
        return experiment
    lists = [read_prices(path) for path in (experiment.prices, OURS) if path]
    priced = {}
    for name, model in unpriced.items():
        price = price_of(model.name, lists)
        if isinstance(price, str):
            raise ParleyError(
                f"{source}: models.{name}.price: no price list has {model.name!r}{price}; write "
                "`price: {input: …, output: …}` (per million tokens), or `price: free`"
            )
        priced[name] = model.model_copy(update={"price": price})
    return experiment.model_copy(update={"models": experiment.models | priced})


def load(path: str | Path) -> Experiment:
    """Read a YAML config. Raises `ParleyError` as `check` does, and for a file that is missing or not YAML."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such config file") from None
    except UnicodeDecodeError as error:
        raise ParleyError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise ParleyError(f"{path}{where}: not YAML ({getattr(error, 'problem', error)}); mend the line") from None
    return check(data, str(path))
