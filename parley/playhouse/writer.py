"""The writer: turns a keyword into a task of one of the families."""

import json
import re
from random import Random

from parley.canonical import seed_from
from parley.playhouse.families import DRAFTERS, WRITTEN
from parley.playhouse.reading import NotUnderstood

_RELATIONSHIPS = ("stranger", "know_by_name", "acquaintance", "friend", "romantic", "family")


def write_task(prompt: str, rng: Random) -> str:
    """The writer's answer to a task prompt. Raises `NotUnderstood` if it names no keyword."""
    found = re.search(r"^Keyword: (.+)$", prompt, re.MULTILINE)
    if not found:
        raise NotUnderstood("the prompt names no keyword")
    keyword = found[1].strip().rstrip(".")
    # The keyword alone decides the family, as a person's associations would.
    family = WRITTEN[seed_from("family", keyword) % len(WRITTEN)]
    draft = DRAFTERS[family](rng)
    return json.dumps(
        {
            "scenario": f"{draft.scenario} The talk comes after {keyword}.",
            "goals": list(draft.goals),
            "relationship": rng.choice(_RELATIONSHIPS),
            "ages": [[18, 70], [18, 70]] if rng.random() < 0.8 else [[20, 60], [20, 60]],
            "occupations": [[], []],
        },
        ensure_ascii=False,
    )
