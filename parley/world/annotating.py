"""Annotating: a model plays one of the people who rate. What it gives stands for nobody and is labelled simulated."""

from parley.canonical import seed_from
from parley.llm.call import CallFailed
from parley.llm.speaker import Speaker
from parley.llm.structured import Unreadable, ask
from parley.records.annotation import Marks
from parley.records.item import Item
from parley.records.message import Message
from parley.records.rating import KEYS, Mark
from parley.world.prompts import Prompt
from parley.world.rating import Verdict, by_name, fault_in


def annotation_text(template: Prompt, item: Item, rater: str) -> str:
    """The prompt of a rater: what people see on the page of an item."""
    return template.render(rater=rater, **item.model_dump(exclude={"id"}))


async def annotate(
    item: Item, rater: str, model: Speaker, template: Prompt, retry: Prompt, seed: int, attempt: int = 0
) -> tuple[Marks, Marks] | str:
    """The marks of both seats; or, after a failed call or answer, why there are none."""
    names = (item.people[0].name, item.people[1].name)
    messages: list[Message] = [{"role": "user", "content": annotation_text(template, item, rater)}]
    try:
        answer = await ask(
            model,
            messages,
            Verdict,
            retry=lambda _, fault: retry.render(fault=fault),
            seed=seed_from(seed, item.id, rater, attempt),
            check=lambda verdict: fault_in(verdict, names),
        )
    except (CallFailed, Unreadable) as failure:
        return str(failure.reason)
    entries = by_name(answer.value, names)
    assert not isinstance(entries, str)
    first, second = ({key: Mark(**entry[key]) for key in KEYS} for entry in entries)
    return first, second
