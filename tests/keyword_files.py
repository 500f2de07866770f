"""Small files of our own in the form of the three keyword sources as they are published."""

import json
from pathlib import Path

import polars as pl

#: The 25 columns of Social-Chemistry-101, of which `situation` is the eighth from the end.
SOCIAL_CHEMISTRY = (  # noqa: SIM905 - a list of words is easier to read
    "area m split rot-agree rot-categorization rot-moral-foundations rot-char-targeting rot-bad rot-judgment action "
    "action-agency action-moral-judgment action-agree action-legal action-pressure action-char-involved "
    "action-hypothetical situation situation-short-id rot rot-id rot-worker-id breakdown-worker-id n-characters characters"
).split()
NORM_BANK = ["setting", "behavior", "constraints", "norm", "split"]


def social_chemistry(path: Path, *situations: str) -> Path:
    rows = [
        [f"the rule of {text}" if name == "rot" else text if name == "situation" else "x" for name in SOCIAL_CHEMISTRY]
        for text in situations
    ]
    path.write_text("".join("\t".join(row) + "\n" for row in [SOCIAL_CHEMISTRY, *rows]))
    return path


def norm_bank(path: Path, *behaviors: str) -> Path:
    rows = [["library", f'"{text}"', '"role, age"', "normal", "train"] for text in behaviors]
    path.write_text("".join(",".join(row) + "\n" for row in [NORM_BANK, *rows]))
    return path


def social_iqa(path: Path, *contexts: str) -> Path:
    rows = [
        {"context": text, "question": "Why?", "answerA": "a", "answerB": "b", "answerC": "c", "correct": "A"}
        for text in contexts
    ]
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def folder(path: Path) -> Path:
    """The three files by their published names: four situations, four contexts, four behaviors, some of them the same."""
    path.mkdir(parents=True, exist_ok=True)
    social_chemistry(
        path / "social-chem-101.v1.0.tsv",
        "being mad at my friend",
        "Being mad at my friend.",
        "telling a neighbour that the fence is ugly",
        "lending money to a cousin",
        "forgetting a birthday",
    )
    social_iqa(
        path / "social_iqa_train.jsonl",
        "Ash gave the dog a bath after lunch.",
        "Ash gave the dog a bath after lunch.",
        "Lending money  to a cousin",
        "Kim sold the old car to a stranger.",
        "Lee sang too loudly at night.",
    )
    norm_bank(
        path / "NormBank.csv", "go on a date", "yell, then leave", "eat an apple", "eat an apple", "ok", "whisper"
    )
    return path
