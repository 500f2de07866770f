"""What people say of the sample, written by hand in the formats of the study. For tests only."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from parley.records.calibration import CALIBRATION
from parley.records.rating import DIMENSIONS

#: GOAL by player: the judge's mean, people's, and the calibrated one.
MEANS = {"base": (2.6, 2.2, 2.3), "bc": (5.4, 4.0, 4.1), "sr": (3.0, 2.4, 2.5), "bc_sr": (6.4, 3.2, 3.4)}


def voice(player: str, method: str, mean: float, half: float, **changes: Any) -> dict[str, Any]:
    """A row of the table of calibrated numbers."""
    row = {
        **{"player": player, "partner": "partner", "evaluation": "hard", "dimension": "goal", "judge": "judge"},
        **{"method": method, "mean": mean, "se": half / 2, "low": mean - half, "high": mean + half, "n_people": 8},
        **{"n_judge": 16, "clusters": 4, "halving": 24, "weight": 0.6, "simulated": False},
    }
    return {**row, **changes}


def write_study(root: Path, half: float = 0.5, simulated: bool = False) -> None:
    """A finished study of people in the results folder: half is half of the width of every interval."""
    methods = ("judge", "people", "calibrated")
    means = [
        voice(player, method, mean, half, simulated=simulated)
        for player, found in MEANS.items()
        for method, mean in zip(methods, found, strict=True)
    ]
    gains = [
        {**row, "mean": d, "low": d - half, "high": d + half}
        for row in means
        if row["player"] != "base" and (d := row["mean"] - MEANS["base"][methods.index(row["method"])]) is not None
    ]
    (root / "human").mkdir(exist_ok=True)
    pl.DataFrame(means, schema=CALIBRATION).write_parquet(root / "human/calibration.parquet")
    pl.DataFrame(gains, schema=CALIBRATION).write_parquet(root / "human/calibration.versus_base.parquet")
    row: dict[str, Any] = {"alpha_ordinal": 0.61, "icc2k": None, "bias": 0.8, "loa_low": -1.5, "loa_high": 3.1, "n": 16}
    agreement = {
        "simulated": simulated,
        "raters": 6,
        "items": 8,
        "seats": 16,
        "dimensions": {d.key: row for d in DIMENSIONS},
    }
    (root / "human/agreement.json").write_text(json.dumps(agreement))
