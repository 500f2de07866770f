"""Casting: which pairs of characters play a task."""

from collections.abc import Mapping, Sequence
from random import Random

from parley.canonical import seed_from
from parley.config import TaskSet
from parley.errors import ParleyError
from parley.records.character import Acquaintance, Character
from parley.records.task import Cast, Task


def fits(task: Task, seat: int, character: Character) -> bool:
    """True if the character's age and, where constrained, occupation suit the seat."""
    low, high = task.ages[seat]
    wanted = {occupation.casefold() for occupation in task.occupations[seat]}
    return low <= character.age <= high and (not wanted or character.occupation.casefold() in wanted)


def candidates(task: Task, characters: Mapping[str, Character], pairs: Sequence[Acquaintance]) -> list[list[Cast]]:
    """For each pair that knows each other as the task asks: the seatings of it that suit both seats."""
    found = []
    for pair in pairs:
        if pair.relationship != task.relationship:
            continue
        one, two = pair.characters
        seatings = [
            (first, second)
            for first, second in ((one, two), (two, one))
            if fits(task, 0, characters[first]) and fits(task, 1, characters[second])
        ]
        if seatings:
            found.append(seatings)
    return found


def cast(
    task: Task,
    task_set: TaskSet,
    characters: Mapping[str, Character],
    pairs: Sequence[Acquaintance],
    seed: int,
    source: str,
) -> Task:
    """The task with the casts that play it: of its own the first `casts_for` of the set, or as many drawn.

    `seed` is the experiment's, `source` the file that an error names. Raises `ParleyError` as `check_casts` and
    `draw_casts` do.
    """
    check_casts(task, characters, source)
    wanted = task_set.casts_for(task.tags)
    if task.casts:
        return task.model_copy(update={"casts": task.casts[:wanted]})
    seed = seed if task_set.cast_seed is None else task_set.cast_seed
    return task.model_copy(update={"casts": draw_casts(task, wanted or 1, characters, pairs, seed)})


def draw_casts(
    task: Task, count: int, characters: Mapping[str, Character], pairs: Sequence[Acquaintance], seed: int
) -> tuple[Cast, ...]:
    """`count` casts of different pairs, drawn by (seed, task name): a larger count keeps the casts of a smaller one.

    Raises `ParleyError` that says which task has too few characters, and why.
    """
    found = candidates(task, characters, pairs)
    if len(found) < count:
        raise ParleyError(_too_few(task, count, len(found), pairs))
    rng = Random(seed_from(seed, task.name))
    rng.shuffle(found)
    return tuple(seatings[rng.randrange(len(seatings))] for seatings in found[:count])


def _too_few(task: Task, count: int, found: int, pairs: Sequence[Acquaintance]) -> str:
    kind = task.relationship.name
    known = sum(pair.relationship == task.relationship for pair in pairs)
    wants = [f"ages {task.ages[0][0]}-{task.ages[0][1]} and {task.ages[1][0]}-{task.ages[1][1]}"]
    wants += [
        f"occupation {' or '.join(task.occupations[seat])} in seat {seat}" for seat in (0, 1) if task.occupations[seat]
    ]
    return (
        f"task {task.name}: {count} casts wanted, {found} pairs fit ({known} are {kind}; it asks for {', '.join(wants)});"
        f" add relationships of kind {kind}, relax the task, or lower `casts`"
    )


def check_casts(task: Task, characters: Mapping[str, Character], source: str) -> None:
    """Raise `ParleyError` if the casts that a task came with name nobody, the same character twice, or a cast twice."""
    for number, cast in enumerate(task.casts):
        for end in cast:
            if end not in characters:
                raise ParleyError(f"{source}: task {task.name}: no character has the id {end!r}; correct its casts")
        if cast[0] == cast[1]:
            raise ParleyError(f"{source}: task {task.name}: {cast[0]!r} cannot sit in both seats; correct its casts")
        if cast in task.casts[:number]:
            raise ParleyError(
                f"{source}: task {task.name}: the cast {'+'.join(cast)} is there twice; delete one (`play.replicates`"
                " plays each cast more than once)"
            )
