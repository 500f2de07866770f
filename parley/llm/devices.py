"""GPUs of a job: each engine that needs some gets its own, in the order in which the job names them."""

from collections.abc import Sequence

from parley.errors import ParleyError

#: What CUDA, and so every engine, goes by. A cluster sets it to the GPUs that the job was given.
VARIABLE = "CUDA_VISIBLE_DEVICES"


def shares(wanted: Sequence[int], visible: str | None) -> list[str]:
    """The value of `VARIABLE` for each engine, where `wanted` says how many GPUs each needs.

    `visible` is the job's own value of it; None, where nobody has set one, counts GPUs from 0. Raises `ParleyError` if
    the job sees fewer GPUs than its engines need together.
    """
    needed = sum(wanted)
    names = [str(number) for number in range(needed)] if visible is None else [one for one in visible.split(",") if one]
    if len(names) < needed:
        raise ParleyError(
            f"the job's engines need {needed} GPUs together and it sees {len(names)} ({VARIABLE}={visible}); give the job "
            "more (the resource gpu of its rule), or lower `gpus` of a model"
        )
    starts = [sum(wanted[:place]) for place in range(len(wanted))]
    return [",".join(names[start : start + count]) for start, count in zip(starts, wanted, strict=True)]
