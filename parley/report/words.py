"""Numbers as a reader sees them: a true minus sign, fixed decimals, and a dash where there is no number."""

NONE = "–"
MINUS = "\N{MINUS SIGN}"


def fixed(value: float | None, decimals: int = 2) -> str:
    """`value` with so many decimals; a dash for None. What rounds to zero has no sign."""
    if value is None:
        return NONE
    text = f"{value:.{decimals}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", MINUS)


def signed(value: float | None, decimals: int = 2) -> str:
    """As `fixed`, with a plus sign before what is above zero."""
    text = fixed(value, decimals)
    return f"+{text}" if value is not None and float(text.replace(MINUS, "-")) > 0 else text


def interval(low: float | None, high: float | None, decimals: int = 2) -> str:
    """`[low, high]`, or the reason why there is none."""
    if low is None or high is None:
        return "[no interval: fewer than two tasks]"
    return f"[{fixed(low, decimals)}, {fixed(high, decimals)}]"


def told(value: float | None, low: float | None, high: float | None, decimals: int = 2) -> str:
    """A number with its interval, where it has one."""
    return fixed(value, decimals) if low is None else f"{fixed(value, decimals)} {interval(low, high, decimals)}"


def p_value(p: float | None) -> str:
    """`p = 0.012`, `p < 0.001`; a dash for None."""
    if p is None:
        return NONE
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def count(value: float | None) -> str:
    """A whole number with thin spaces between thousands; a dash for None."""
    return NONE if value is None else f"{round(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(share: float | None) -> str:
    """A share from 0 to 1 in percent; a dash for None."""
    return NONE if share is None else f"{100 * share:.0f} %"


def duration(seconds: float | None) -> str:
    """Seconds in the unit that suits them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def things(number: int, noun: str) -> str:
    """`1 task`, `12 tasks`, `2 policies`."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count(number)} {noun if number == 1 else many}"


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
