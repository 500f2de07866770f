"""How alike raters rate: against krippendorff and pingouin, by hand, and what holds for any ratings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from parley.evaluation.correlation import limits, pearson, spearman
from parley.evaluation.reliability import alpha, categories_of, coarse, icc2k, pairwise, randolph
from parley.records.rating import DIMENSIONS
from parley.tables.published import read_facts
from tests import oracle
from tests.builders import ROOT

NAN = float("nan")
LEVELS = ("ordinal", "interval")
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8)
MARKS = st.one_of(st.integers(0, 10).map(float), st.just(NAN))
TABLES = arrays.arrays(np.float64, SHAPES, elements=MARKS)
FULL = arrays.arrays(np.float64, SHAPES, elements=st.integers(0, 10).map(float))


def coefficients(table: np.ndarray) -> dict[str, float | None]:
    found = {level: alpha(table, level) for level in LEVELS}
    return {**found, "icc2k": icc2k(table), "pairwise": pairwise(table), "kappa": randolph(table, 11)}


def same(one: dict[str, float | None], other: dict[str, float | None]) -> bool:
    """Whether two sets of coefficients are alike, None and all."""
    return all(
        (one[name] is None) == (other[name] is None)
        and (one[name] is None or one[name] == pytest.approx(other[name], abs=1e-6))
        for name in one
    )


# -- other libraries ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["full", "gaps", "rare"])
def test_alpha_is_that_of_krippendorff(name: str, level) -> None:
    assert alpha(oracle.data(name), level) == pytest.approx(oracle.read()[name][level], abs=1e-12)


def test_icc2k_is_that_of_pingouin() -> None:
    assert icc2k(oracle.data("full")) == pytest.approx(oracle.read()["full"]["icc2k"], abs=1e-9)


def test_correlations_are_those_of_scipy() -> None:
    first, second = oracle.data("full")[:, 0].tolist(), oracle.data("full")[:, 1].tolist()
    told = oracle.read()["correlation"]
    assert pearson(first, second) == pytest.approx(told["pearson"], abs=1e-12)
    assert spearman(first, second) == pytest.approx(told["spearman"], abs=1e-12)


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_icc_of_a_design_with_gaps_finds_the_components_that_it_was_drawn_from() -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(60):
        harsh = rng.normal(0, 1, 20)
        table = np.full((168, 20), NAN)
        for row in range(168):
            seen = rng.choice(20, 2, replace=False)
            table[row, seen] = rng.normal(0, 2) + harsh[seen] + rng.normal(0, 1, 2)
        found.append(icc2k(table))
    assert np.mean(found) == pytest.approx(4 / (4 + (1 + 1) / 2), abs=0.02)


def test_pairwise_agreement_by_hand() -> None:
    table = np.array([[1, 1, 1], [1, 1, 2], [1, 2, 3], [4, NAN, 4], [5, NAN, NAN]])
    assert pairwise(table) == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)
    assert randolph(table, 2) == pytest.approx(2 * pairwise(table) - 1)


def test_coarse_marks_are_as_few_as_the_paper_counts() -> None:
    assert coarse(np.arange(11.0), 0, 10).tolist() == [0] * 6 + [1] * 5
    assert coarse(np.arange(-10.0, 1), -10, 0).tolist() == [-1] * 5 + [0] * 6
    assert coarse(np.arange(-5.0, 6), -5, 5).tolist() == [-1] * 3 + [0] * 5 + [1] * 3
    assert not np.signbit(coarse(np.array([-1.0]), -10, 0)).any()


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda dimension: dimension.short)
def test_the_published_kappas_follow_from_the_published_shares_and_as_many_categories(dimension) -> None:
    share, kappa = read_facts(ROOT / "resources/published/sotopia_pi.yaml").agreement.rows[dimension.short]
    categories = categories_of(dimension.low, dimension.high)
    follows = (share - 1 / categories) / (1 - 1 / categories)
    assert follows == pytest.approx(kappa, abs=0.008 if dimension.short == "FIN" else 0.0002)


def test_bland_and_altman_by_hand() -> None:
    found = limits([5, 7, 9], [4, 4, 4])
    assert (found.bias, found.low, found.high) == pytest.approx((3, 3 - 1.96 * 2, 3 + 1.96 * 2))
    assert limits([5], [4]).bias == 1
    assert limits([5], [4]).low is limits([], []).bias is None


# -- what holds for any ratings ----------------------------------------------------------------------------------------


@given(arrays.arrays(np.float64, st.tuples(st.integers(2, 9), st.just(1)), elements=st.integers(0, 10).map(float)),
       st.integers(2, 5))  # fmt: skip
def test_who_always_say_the_same_agree_perfectly(column: np.ndarray, raters: int) -> None:
    table = np.repeat(column, raters, axis=1)
    varies = np.unique(column).size > 1
    found = coefficients(table)
    assert found["pairwise"] == found["kappa"] == 1
    for name in (*LEVELS, "icc2k"):
        assert found[name] == (pytest.approx(1) if varies else None)


@given(TABLES, st.randoms())
def test_neither_the_order_of_things_nor_of_raters_matters(table: np.ndarray, random) -> None:
    rows, columns = list(range(table.shape[0])), list(range(table.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    assert same(coefficients(table[rows][:, columns]), coefficients(table))


@given(TABLES)
def test_what_one_person_alone_rated_says_nothing(table: np.ndarray) -> None:
    alone = np.full((1, table.shape[1]), NAN)
    alone[0, 0] = 3
    assert same(coefficients(np.vstack([table, alone])), coefficients(table))


@given(TABLES, st.floats(0.1, 10), st.floats(-20, 20))
def test_a_change_of_unit_and_zero_changes_nothing(table: np.ndarray, unit: float, zero: float) -> None:
    moved, before = coefficients(table * unit + zero), coefficients(table)
    for name in ("interval", "icc2k"):
        assert same({name: moved[name]}, {name: before[name]})


@given(TABLES)
def test_an_order_is_all_that_ordinal_alpha_looks_at(table: np.ndarray) -> None:
    assert same({"a": alpha(table**3 + table, "ordinal")}, {"a": alpha(table, "ordinal")})


@given(TABLES)
def test_no_coefficient_is_above_one(table: np.ndarray) -> None:
    for name, value in coefficients(table).items():
        assert value is None or value <= 1 + 1e-9 or name == "icc2k"


@given(FULL)
def test_icc_of_a_full_table_is_that_of_the_analysis_of_variance(table: np.ndarray) -> None:
    things, raters = table.shape
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    of_things = raters * table.mean(axis=1).var(ddof=1)
    of_raters = things * table.mean(axis=0).var(ddof=1)
    error = (rest**2).sum() / ((things - 1) * (raters - 1))
    whole = of_things + (of_raters - error) / things
    found = icc2k(table)
    if found is not None:
        assert found == pytest.approx((of_things - error) / whole, abs=1e-6, rel=1e-6)


@pytest.mark.parametrize("table", [np.empty((0, 0)), np.full((3, 2), NAN), np.array([[1, NAN], [NAN, 2]])])
def test_ratings_that_nobody_shares_have_no_coefficient(table: np.ndarray) -> None:
    assert set(coefficients(table).values()) == {None}


PAIRS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=30)


@given(PAIRS)
def test_correlations_are_scipys_for_any_marks(pairs: list[tuple[int, int]]) -> None:
    first, second = [list(map(float, side)) for side in zip(*pairs, strict=True)]
    if len(set(first)) < 2 or len(set(second)) < 2:
        assert pearson(first, second) is spearman(first, second) is None
    else:
        assert pearson(first, second) == pytest.approx(stats.pearsonr(first, second)[0], abs=1e-9)
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second)[0], abs=1e-9)


def test_sides_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 values but 1 to go with them"):
        pearson([1, 2], [1])
