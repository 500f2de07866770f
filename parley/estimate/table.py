"""The table: a forecast as a person reads it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parley.config import Experiment
from parley.estimate.forecast import ZERO, Calls, Forecast, Range, by_model, money
from parley.estimate.priors import Prior

WIDTH = 10_000  # lines are as long as they are: a terminal wraps, a file does not


def show(
    forecasts: Sequence[Forecast], experiment: Experiment, priors: dict[str, Prior], *, verbose: bool = False
) -> str:
    """The whole estimate: what is stale and why, totals by rule and by model, the budget, and what was assumed."""
    if not forecasts:
        return "Nothing is stale: a run has nothing to do and makes no call.\n"
    parts = [
        _jobs(forecasts, experiment, verbose),
        _totals("rule", _by_rule(forecasts), experiment),
        _totals("model", _by_model(forecasts), experiment),
        _budget(forecasts, experiment),
        _assumed(priors),
    ]
    return "\n".join(part for part in parts if part)


def _jobs(forecasts: Sequence[Forecast], experiment: Experiment, verbose: bool) -> str:
    table = _table("stale", "jobs", "paid", "new calls", "prompt tokens", "answer tokens", "cost", "why")
    for label, group in _grouped(forecasts, verbose):
        calls = [call for forecast in group for call in forecast.calls]
        reasons = list(dict.fromkeys("; ".join(forecast.job.reasons) for forecast in group))
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        _row(table, label, str(len(group)), *_figures(calls, experiment), reasons[0] + more)
    return _text(table)


def _grouped(forecasts: Sequence[Forecast], verbose: bool) -> Iterator[tuple[str, list[Forecast]]]:
    """Jobs as rows: each alone, or shards together and steps that make no call by rule."""
    groups: dict[tuple[str, str], list[Forecast]] = {}
    for forecast in forecasts:
        rule, rest = forecast.job.group
        if verbose:
            rest = " ".join(forecast.job.wildcards.values())
        elif not forecast.calls:
            rest = ""
        groups.setdefault((rule, rest), []).append(forecast)
    for (rule, rest), group in groups.items():
        yield f"{rule} {rest}".strip(), group


def _by_rule(forecasts: Sequence[Forecast]) -> dict[str, list[Calls]]:
    ordered = sorted(forecasts, key=lambda forecast: forecast.job.rule)
    rules = {rule: [c for f in group for c in f.calls] for rule, group in groupby(ordered, lambda f: f.job.rule)}
    return {rule: calls for rule, calls in rules.items() if calls}


def _by_model(forecasts: Sequence[Forecast]) -> dict[str, list[Calls]]:
    sums = by_model(call for forecast in forecasts for call in forecast.calls)
    return {name: [sums[name]] for name in sorted(sums)}


def _totals(what: str, rows: dict[str, list[Calls]], experiment: Experiment) -> str:
    if not rows:
        return ""
    table = _table(f"by {what}", "paid", "new calls", "prompt tokens", "answer tokens", "cost")
    for label, calls in rows.items():
        _row(table, label, *_figures(calls, experiment))
    if what == "model":
        _row(table, "all", *_figures([call for calls in rows.values() for call in calls], experiment))
    return _text(table)


def _figures(calls: Iterable[Calls], experiment: Experiment) -> tuple[str, ...]:
    calls = list(calls)
    if not calls:
        return "–", "–", "", "", ""
    new, prompt, answer = ZERO, ZERO, ZERO
    for call in calls:
        new, prompt, answer = new + call.new, prompt + call.prompt_tokens, answer + call.completion_tokens
    paid = count(sum(call.paid for call in calls))
    if not new.high:
        return paid, "0", "", "", ""
    return paid, span(new), span(prompt), span(answer), amounts(money(calls, experiment))


def _budget(forecasts: Sequence[Forecast], experiment: Experiment) -> str:
    """What the budget allows against what is expected, for the whole and for single models."""
    budget = experiment.budget
    if budget is None:
        return ""
    calls = [call for forecast in forecasts for call in forecast.calls]
    lines = []
    if budget.amount is not None:
        lines.append(("", budget.amount, money(calls, experiment).get(budget.currency, ZERO)))
    for name, amount in budget.models.items():
        own = money([call for call in calls if call.model == name], experiment)
        lines.append((f" of {name}", amount, own.get(budget.currency, ZERO)))
    return "".join(
        f"budget{whose}: {amount:g} {budget.currency}; {_verdict(amount, cost)}\n" for whose, amount, cost in lines
    )


def _verdict(amount: float, cost: Range) -> str:
    if cost.high <= amount:
        return "enough"
    if cost.likely <= amount:
        return "likely enough"
    return f"likely too little: the run would stop at it, and go on when it is raised ({cost.likely:.2f} is likely)"


def _assumed(priors: dict[str, Prior]) -> str:
    """What was assumed and whence, one line for all that it is the same for."""
    same: dict[tuple[str, str, str], list[str]] = {}
    for label, prior in sorted(priors.items()):
        what, _, whose = label.rpartition(", ")
        same.setdefault((what or label, span(prior.value), prior.source), []).append(whose if what else "")
    if not same:
        return ""
    table = _table("assumed", "", "from", "for")
    for (what, value, source), names in same.items():
        _row(table, what, value, source, ", ".join(names))
    return _text(table)


# -- numbers in words ----------------------------------------------------------------------------------------------


def count(number: float) -> str:
    """A count as people write it: 950, 12.3k, 4.56M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}" if number / size < 1000 else f"{number / size:.0f}{letter}"
    return f"{number:.3g}" if number < 10 and number != round(number) else f"{number:.0f}"


def span(number: Range) -> str:
    """The likely number, with the lowest and highest where they differ."""
    low, likely, high = (count(value) for value in (number.low, number.likely, number.high))
    return likely if low == likely == high else f"{likely} ({low}–{high})"


def amounts(costs: dict[str, Range]) -> str:
    """Money by currency."""
    return ", ".join(f"{_money(cost)} {currency}" for currency, cost in costs.items())


def _money(cost: Range) -> str:
    digits = 2 if cost.high >= 1 else 4
    low, likely, high = (f"{value:.{digits}f}" for value in (cost.low, cost.likely, cost.high))
    return likely if low == likely == high else f"{likely} ({low}–{high})"


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(heads):
        is_text = number == 0 or head in ("why", "from", "for")
        table.add_column(head, justify="left" if is_text else "right", no_wrap=True)
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # names are text, not markup


def _text(table: Table) -> str:
    console = Console(width=WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return "".join(line.rstrip() + "\n" for line in captured.get().splitlines())
