"""Numbers of other libraries for made-up ratings, which the tests of statistics compare with: `python -m tests.oracle`.

It needs an environment of its own with ppi-python 0.2.3, krippendorff 0.9, pingouin 0.7 and scipy; the project and its
tests need none of them. It writes `tests/fixtures/oracle.json`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).parent / "fixtures/oracle.json"
Floats = NDArray[np.float64]


def rows(n: int = 120, others: int = 480) -> tuple[Floats, Floats, Floats]:
    """Independent rows: people's and the judge's numbers of some, the judge's of others. The judge is a point too high."""
    rng = np.random.default_rng(23)
    truth = rng.normal(5, 2, n + others)
    judge = np.round(truth + 1 + rng.normal(0, 1.2, n + others), 3)
    people = np.round(truth + rng.normal(0, 0.8, n + others), 3)
    return people[:n], judge[:n], judge[n:]


def tables() -> dict[str, Floats]:
    """Marks of several raters: a full table, one of many raters of whom two see each thing, and one of few values."""
    rng = np.random.default_rng(8)
    truth = rng.normal(5, 2, (30, 1))
    full = np.clip(np.round(truth + rng.normal(0, 1, (1, 4)) + rng.normal(0, 1.2, (30, 4))), 0, 10)
    gaps = np.full((60, 9), np.nan)
    for row in range(60):
        seen = rng.choice(9, 2 + (row % 5 == 0), replace=False)
        gaps[row, seen] = np.clip(np.round(rng.normal(2, 1.5) + rng.normal(0, 1, seen.size)), -5, 5)
    rare = np.where(rng.random((40, 3)) < 0.2, -rng.integers(1, 9, (40, 3)), 0).astype(np.float64)
    return {"full": full, "gaps": gaps, "rare": rare}


def _plain(data: Floats) -> Any:
    """As JSON has it: null is what was not given."""
    return [_plain(row) for row in data] if data.ndim > 1 else [None if np.isnan(x) else float(x) for x in data]


def read() -> dict[str, Any]:
    """What the other libraries said, and of what."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def data(name: str) -> Floats:
    """Made-up data by name: `people`, `judge`, `others`, or a table of `tables`."""
    return np.array(read()["data"][name], dtype=np.float64)


def main() -> None:
    """Ask the other libraries and write what they say."""
    import krippendorff  # type: ignore[import-not-found,unused-ignore]
    import pandas  # type: ignore[import-untyped,unused-ignore]
    import pingouin  # type: ignore[import-not-found,unused-ignore]
    import ppi_py  # type: ignore[import-not-found,unused-ignore]
    from scipy import stats

    people, judge, others = rows()
    made_up = {"people": people, "judge": judge, "others": others, **tables()}
    found: dict[str, Any] = {"ppi": {}, "data": {name: _plain(data) for name, data in made_up.items()}}
    for name, lam in (("tuned", None), ("whole", 1.0), ("half", 0.5), ("none", 0.0)):
        mean = ppi_py.ppi_mean_pointestimate(people, judge, others, lam=lam)
        low, high = ppi_py.ppi_mean_ci(people, judge, others, alpha=0.05, lam=lam)
        found["ppi"][name] = [float(np.squeeze(number)) for number in (mean, low, high)]
    for name, table in tables().items():
        found[name] = {
            level: krippendorff.alpha(reliability_data=table.T, level_of_measurement=level)
            for level in ("ordinal", "interval")
        }
    full = tables()["full"]
    long = pandas.DataFrame(full).reset_index().melt(id_vars="index", var_name="rater", value_name="mark")
    icc = pingouin.intraclass_corr(long, targets="index", raters="rater", ratings="mark").set_index("Type")
    found["full"]["icc2k"] = float(icc.loc["ICC2k" if "ICC2k" in icc.index else "ICC(A,k)", "ICC"])
    found["correlation"] = {
        "pearson": float(stats.pearsonr(full[:, 0], full[:, 1])[0]),
        "spearman": float(stats.spearmanr(full[:, 0], full[:, 1])[0]),
    }
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
