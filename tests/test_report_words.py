import pytest

from parley.report.palette import PAGE, PLAYERS, SEATS
from parley.report.words import count, duration, fixed, interval, listed, p_value, percent, signed, things


@pytest.mark.parametrize(
    ("value", "text"), [(1.005, "1.00"), (-2.5, "−2.50"), (-0.001, "0.00"), (0.0, "0.00"), (None, "–")]
)
def test_numbers_have_fixed_decimals_a_true_minus_and_no_negative_zero(value: float | None, text: str) -> None:
    assert fixed(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.4, "+0.40"), (-0.4, "−0.40"), (0.001, "0.00"), (None, "–")])
def test_differences_carry_their_sign_unless_they_round_to_zero(value: float | None, text: str) -> None:
    assert signed(value) == text


def test_an_interval_that_does_not_exist_says_why() -> None:
    assert interval(-1.0, 2.25) == "[−1.00, 2.25]"
    assert "fewer than two tasks" in interval(None, None)


@pytest.mark.parametrize(("p", "text"), [(0.0004, "p < 0.001"), (0.0305, "p = 0.030"), (1.0, "p = 1.000"), (None, "–")])
def test_small_p_values_are_not_shown_as_zero(p: float | None, text: str) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (9.96, "10.0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_use_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_shares_and_lists() -> None:
    assert count(1234567) == "1\u202f234\u202f567"
    assert count(None) == percent(None) == "–"
    assert percent(0.125) == "12 %"
    assert [things(1, "task"), things(0, "task"), things(12, "task")] == ["1 task", "0 tasks", "12 tasks"]
    assert things(4, "policy") == "4 policies"
    assert [listed([]), listed(["a"]), listed(["a", "b", "c"])] == ["", "a", "a, b and c"]


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    light, dark = sorted([_luminance(one), _luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "panel"])
def test_every_colour_that_text_has_can_be_read_on_the_page(side: int, ground: str) -> None:
    behind = PAGE[ground][side]
    texts = {**{f"player {n}": pair for n, pair in enumerate(PLAYERS)}, **{f"seat {n}": p for n, p in enumerate(SEATS)}}
    texts |= {role: PAGE[role] for role in ("ink", "quiet")}
    assert {name: ratio for name, pair in texts.items() if (ratio := contrast(pair[side], behind)) < 4.5} == {}
    assert contrast(PAGE["edge"][side], behind) >= 3, "the edge of a field or of a box is seen"


def test_no_two_players_share_a_colour() -> None:
    assert len({light for light, _ in PLAYERS}) == len({dark for _, dark in PLAYERS}) == len(PLAYERS)
