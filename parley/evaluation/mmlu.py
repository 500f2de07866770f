"""MMLU (Hendrycks et al., arXiv 2009.03300): its files as on the hub, and lm-eval's own tasks for its subjects.

The dataset is never shipped. `path` is a folder that holds it in either of the forms in which it is published:
`{subject}/{split}-00000-of-00001.parquet` (the hub's `cais/mmlu`) or `{split}/{subject}_{split}.csv` (the authors').
Without a path the hub's is fetched once, at a pinned revision, into the hub's cache.
"""

import csv
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from parley.canonical import digest
from parley.errors import ParleyError
from parley.evaluation.item import LETTERS, Category, Item

DATASET = "cais/mmlu"
#: Keys of lm-eval's configs that say where the data are, or name other configs; the data are read here.
_WHERE = ("dataset_path", "dataset_name", "include")


def read(path: str | None, revision: str, shots: int) -> tuple[list[Item], dict[str, list[Item]], dict[str, Any]]:
    """The test items, the first `shots` answered ones by subject, and where they are from.

    Raises `ParleyError` if the folder does not hold MMLU, or if it is not in the hub's cache and the hub cannot be
    reached.
    """
    folder = Path(path) if path else _fetched(revision)
    found = [subject for subject in subjects() if _file(folder, subject, "test")]
    if not found:
        raise ParleyError(
            f"{folder}: is not MMLU (no anatomy/test-*.parquet and no test/anatomy_test.csv); correct knowledge.path"
        )
    asked = [item for subject in found for item in _items(folder, subject, "test")]
    shown = {subject: _shown(folder, subject, shots) for subject in found}
    facts: dict[str, Any] = {
        "dataset": path or f"{DATASET}@{revision}",
        "missing_subjects": [subject for subject in subjects() if subject not in found],
        "test_sha256": digest([vars(item) for item in asked]),
        "dev_sha256": digest([[vars(item) for item in items] for items in shown.values()]),
    }
    return asked, shown, facts


@cache
def subjects() -> tuple[str, ...]:
    """The 57 subjects, as lm-eval names its tasks for them."""
    return tuple(sorted(path.stem.removeprefix("mmlu_") for path in _configs().glob("mmlu_*.yaml")))


@cache
def task(subject: str) -> dict[str, Any]:
    """lm-eval's own config of a subject's task, but for where its data are."""
    own = _yaml(_configs() / f"mmlu_{subject}.yaml")
    whole = _yaml(_configs() / str(own["include"])) | own
    return {key: value for key, value in whole.items() if key not in _WHERE}


def category(subject: str) -> Category:
    """The category of a subject, by the tag of lm-eval's task."""
    found = str(task(subject)["tag"]).removeprefix("mmlu_").removesuffix("_tasks")
    assert found in get_args(Category), found
    return cast(Category, found)


def _configs() -> Path:
    spec = find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise ParleyError("the knowledge test needs lm_eval; install parley[train,knowledge]")
    return Path(next(iter(spec.submodule_search_locations))) / "tasks" / "mmlu" / "default"


def _yaml(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def _fetched(revision: str) -> Path:
    """The folder in the hub's cache, fetched if it is not there."""
    from huggingface_hub import snapshot_download

    patterns = [f"{subject}/{split}-*.parquet" for subject in subjects() for split in ("test", "dev")]
    try:
        return Path(snapshot_download(DATASET, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises what its transport does
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ParleyError(
            f"{DATASET} at {revision[:12]} is not in the hub's cache and cannot be fetched ({reason}); "
            "fetch it where there is a network, or set knowledge.path to a folder that holds it"
        ) from None


def _file(folder: Path, subject: str, split: str) -> Path | None:
    parquet = sorted((folder / subject).glob(f"{split}-*.parquet"))
    table = folder / split / f"{subject}_{split}.csv"
    return parquet[0] if parquet else table if table.is_file() else None


def _shown(folder: Path, subject: str, shots: int) -> list[Item]:
    items = list(_items(folder, subject, "dev")) if shots else []
    if len(items) < shots:
        raise ParleyError(
            f"{folder}: {shots} shots need as many answered questions on {subject}, there are {len(items)}; "
            "complete its dev file or lower knowledge.shots"
        )
    return items[:shots]


def _items(folder: Path, subject: str, split: str) -> Iterator[Item]:
    path = _file(folder, subject, split)
    if path is None:
        return
    rows = _of_parquet(path) if path.suffix == ".parquet" else _of_csv(path)
    for number, (question, choices, answer) in enumerate(rows):
        if len(choices) != len(LETTERS) or not 0 <= answer < len(LETTERS):
            raise ParleyError(f"{path}: question {number + 1} has no four choices with one right; fetch the file again")
        four = (choices[0], choices[1], choices[2], choices[3])
        # Some questions of MMLU stand there twice: their place tells them apart.
        yield Item(f"{subject}/{split}/{number}", category(subject), subject, question, four, answer)


Row = tuple[str, list[str], int]


def _of_parquet(path: Path) -> Iterator[Row]:
    import polars as pl

    try:
        frame = pl.read_parquet(path, columns=["question", "choices", "answer"])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ParleyError(f"{path}: cannot be read as MMLU ({str(error).splitlines()[0]}); fetch it again") from None
    for question, choices, answer in frame.iter_rows():
        yield str(question), [str(choice) for choice in choices], int(answer)


def _of_csv(path: Path) -> Iterator[Row]:
    """The authors' files: no header; the question, four choices, a letter."""
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines), start=1):
            if len(row) != 2 + len(LETTERS) or row[-1] not in LETTERS:
                raise ParleyError(f"{path}:{number}: not a question, four choices and a letter; fetch the file again")
            yield row[0], row[1:-1], LETTERS.index(row[-1])
