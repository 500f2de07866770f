"""Import SOTOPIA's published episodes as episodes and ratings of ours."""

import argparse
from pathlib import Path

from parley.errors import ParleyError, run_as_script
from parley.exchange.episodes import Imported, World, import_episodes
from parley.exchange.released import Fault, read_ids
from parley.progress import Journal
from parley.records.character import read_characters
from parley.records.frames import write_parquet
from parley.records.jsonl import write_jsonl, write_text
from parley.records.rating import ratings_frame
from parley.records.task import read_tasks


def renamed(pairs: list[str]) -> dict[str, str]:
    """`["gpt-4=expert"]` as a mapping."""
    for pair in pairs:
        if "=" not in pair:
            raise ParleyError(f"--rename {pair}: must be THEIRS=OURS, for instance gpt-4=expert")
    return dict(pair.rsplit("=", 1) for pair in pairs)


def told(found: Imported, journal: Journal) -> None:
    """Say what came in, and what of it ours cannot hold."""
    failed = sum(rating.failure is not None for rating in found.ratings)
    journal.line(
        f"{len(found.episodes)} episodes, {len(found.ratings)} ratings of which {failed} failed, "
        f"{found.passed_over.total()} lines of other models passed over"
    )
    for what, numbers in found.notes.items():
        journal.line(f"not kept in {len(numbers)} lines (the first is {numbers[0]}): {what}")


def main() -> None:
    """Parse the arguments, import, and say what ours cannot hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="where progress is written; stderr if not given")
    parser.add_argument("file", type=Path, help="for instance sotopia_episodes_v1.jsonl")
    parser.add_argument("--tasks", type=Path, nargs="+", help="the tasks that were played; ids are not checked without")
    parser.add_argument("--characters", type=Path, help="the characters that played them")
    parser.add_argument(
        "--ids", type=Path, help="ids that differ: leftovers.jsonl of the profiles, or a JSON object, theirs to ours"
    )
    parser.add_argument("--only", nargs=2, metavar="MODEL", help="the two models in seat order; all if not given")
    parser.add_argument("--rename", nargs="+", default=[], metavar="THEIRS=OURS", help="the config's names of models")
    parser.add_argument("--rejects", type=Path, help="where lines go that cannot be read; without, the first one stops")
    parser.add_argument("--episodes", type=Path, required=True, help="output: the episodes, JSONL")
    parser.add_argument("--ratings", type=Path, required=True, help="output: the ratings, Parquet")
    options = parser.parse_args()
    rejected: list[str] = []
    with Journal(options.log) as journal:

        def reject(number: int, text: str, fault: Fault) -> None:
            journal.line(f"{options.file}:{number}: {fault.what}; {fault.remedy}")
            rejected.append(text.rstrip("\n") + "\n")

        world = World(
            tasks={task.name: task for path in options.tasks for task in read_tasks(path)} if options.tasks else None,
            characters=read_characters(options.characters) if options.characters else None,
            ids=read_ids(options.ids) if options.ids else {},
        )
        only = (options.only[0], options.only[1]) if options.only else None
        found = import_episodes(
            options.file, world, only, renamed(options.rename), on_fault=reject if options.rejects else None
        )
        if options.rejects:
            write_text(options.rejects, "".join(rejected))
            journal.line(f"{len(rejected)} lines could not be read; they are in {options.rejects}")
        if not found.episodes:
            there = "; ".join(f"{count} by {' and '.join(who)}" for who, count in found.passed_over.most_common(5))
            raise ParleyError(f"{options.file}: no episode to import; there are {there or 'none that can be read'}")
        write_jsonl(options.episodes, found.episodes)
        write_parquet(options.ratings, ratings_frame(found.ratings))
        told(found, journal)


if __name__ == "__main__":
    run_as_script(main)
