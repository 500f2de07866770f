"""Select the rated seats that a policy learns from."""

from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.learning.selection import funnel, select
from parley.progress import Journal
from parley.records.frames import write_parquet
from parley.records.rating import read_ratings


def main() -> None:
    """Parse the arguments, select and write every candidate with its reason."""
    parser = arguments(__doc__)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--ratings", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: every candidate, kept or not, and why")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        source = load(options.experiment).policies[options.policy].learns_from
        assert source is not None, f"{options.policy} is not trained"
        selected = select(read_ratings(options.ratings), source.selection, players=set(source.players))
        write_parquet(options.out, selected)
        for outcome, count, kept in funnel(selected).select("outcome", "candidates", "kept").iter_rows():
            journal.line(f"{count} {outcome}, {kept} kept")


if __name__ == "__main__":
    run_as_script(main)
