"""The recipe of the pocket model: a Mistral-shaped model of about a million parameters, trained on aimless talk.

`make pocket` runs it. The model learns the form of an answer, the words of the small world and to repeat what it has
read (names, terms, amounts); it learns no aim, because the wanderers it listens to have none.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from parley.config import Play
from parley.playhouse.families import DRAFTERS
from parley.playhouse.language import Act, lexicon, say
from parley.playhouse.server import speak
from parley.records.character import Character, Relationship, read_characters
from parley.records.episode import Action, Turn
from parley.records.jsonl import read_jsonl
from parley.records.task import Goal, Keyword, Task
from parley.world.observation import turn_text
from parley.world.prompts import prompt

SPECIALS = ("<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
#: The line ends between messages are expressions: one after a block would be trimmed when the template is rendered.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|im_end|>{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: Turns that a prompt of the training text shows, as `play.history` of the default experiment.
PLAY = Play(max_turns=12, history=4)

Example = tuple[str, str]  # prompt, answer
Row = tuple[list[int], int]  # token ids, where the answer (what is to be copied) starts


# -- the training text ----------------------------------------------------------------------------------------------


def drill(rng: Random) -> Example:
    """A prompt cut down to a goal and one line, with an answer that repeats a part of it: where copying is learned."""
    words = lexicon()
    kinds = (
        [f"${10 * number}" for number in range(1, 23)],
        words["share_ways"],
        [f"the {place}" for place in words["outings"]],
        words["help"],
    )
    wish, middle, offer = rng.sample(rng.choice(kinds), 3)
    reason = rng.choice(words["reasons"])
    goal = f"Goal: You want {wish}. You could live with {middle}. Your reason: {reason}."
    acts = (Act("propose", wish), Act("open", middle), Act("accept", offer), Act("reason", reason))
    answer = Action(action_type="speak", argument=say([rng.choice(acts)], rng)).as_json()
    return f"{goal}\n{say([Act('propose', offer)], rng)}", answer


def talk(rng: Random, people: tuple[Character, Character], keyword: str) -> Iterator[Example]:
    """One talk between wanderers, as the examples of its turns."""
    draft = DRAFTERS[rng.choice(list(DRAFTERS))](rng)
    task = Task(
        name="talk",
        scenario=f"{draft.scenario} The talk comes after {keyword}.",
        goals=(Goal(**draft.goals[0]), Goal(**draft.goals[1])),
        relationship=rng.choice(list(Relationship)),
    )
    template = prompt("prompts/turn_short.jinja")
    turns: list[Turn] = []
    for number in range(PLAY.max_turns):
        seat: Any = number % 2
        text = turn_text(template, task, people, turns, seat, PLAY)
        act = Action(**json.loads(speak("wanderer", [{"role": "user", "content": text}], rng.getrandbits(31))))
        yield text, act.as_json()
        turns.append(Turn(seat=seat, speaker=people[seat].name, action=act, call=""))
        if act.action_type == "leave":
            return


def examples(count: int, seed: int, keywords: Sequence[str]) -> list[Example]:
    """`count` turns of talks, at most four of any talk, shuffled."""
    rng = Random(seed)
    people = list(read_characters("resources/characters.jsonl").values())
    made: list[Example] = []
    while len(made) < count:
        first, second = rng.sample(people, 2)
        turns = list(talk(rng, (first, second), rng.choice(keywords)))
        made += rng.sample(turns, min(4, len(turns)))
    rng.shuffle(made)
    return made[:count]


# -- tokenizer and model --------------------------------------------------------------------------------------------


def build_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer with the chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="<|im_end|>",
        pad_token="<pad>",
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def build_model(tokenizer: Any) -> Any:
    """The untrained model: 128 wide, 4 layers, 4 heads, tied embeddings."""
    from transformers import AutoModelForCausalLM, MistralConfig

    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        initializer_range=0.05,  # 0.02 is for wide models; at this width it delays copying
        max_position_embeddings=1024,
        sliding_window=None,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]


def encode(tokenizer: Any, made: Sequence[Example]) -> list[Row]:
    """Token ids of each example, and where its answer starts."""
    prompts = [f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n" for text, _ in made]
    answers = [f"{answer}<|im_end|>" for _, answer in made]
    heads = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    tails = tokenizer(answers, add_special_tokens=False)["input_ids"]
    return [(head + tail, len(head)) for head, tail in zip(heads, tails, strict=True)]


def batches(encoded: Sequence[Row], size: int, rng: Random) -> Iterator[list[Row]]:
    """Batches of similar length, from pools of 32 batches, so that little is padding; batch order is random."""
    pool = size * 32
    for start in range(0, len(encoded) - size + 1, pool):
        part = sorted(encoded[start : start + pool], key=lambda item: len(item[0]))
        cut = [part[i : i + size] for i in range(0, len(part) - size + 1, size)]
        rng.shuffle(cut)
        yield from cut


def lessons(tokenizer: Any, steps: tuple[int, int], batch: int, rng: Random) -> Iterator[tuple[str, list[Row]]]:
    """The curriculum: drills in copying, then talk. In talk alone, copying sets in late."""
    keywords = [keyword.text for keyword in read_jsonl("resources/keywords.jsonl", Keyword)]
    drills = [drill(rng) for _ in range(steps[0] * batch * 2)]
    yield from (("drills", rows) for rows in batches(encode(tokenizer, drills), batch * 2, rng))
    talks = examples(steps[1] * batch, rng.getrandbits(31), keywords)
    yield from (("talk", rows) for rows in batches(encode(tokenizer, talks), batch, rng))


def vocabulary_text(seed: int) -> list[str]:
    """The text that the tokenizer is built on."""
    rng = Random(seed)
    keywords = [keyword.text for keyword in read_jsonl("resources/keywords.jsonl", Keyword)]
    made = [*examples(12000, seed, keywords), *(drill(rng) for _ in range(6000))]
    return [f"{text}\n{answer}" for text, answer in made]


def train(out: Path, seed: int, steps: tuple[int, int], batch: int, rate: float, vocabulary: int) -> None:
    """Make the checkpoint folder `out` from the seed. The loss is on the whole text, twice on what is to be copied."""
    import torch
    from transformers import set_seed

    set_seed(seed)
    tokenizer = build_tokenizer(vocabulary_text(seed), vocabulary)
    model = build_model(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    total, flat = sum(steps), steps[0]
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100, max(0.02, (total - step) / (total - flat)))
    )
    for step, (lesson, rows) in enumerate(lessons(tokenizer, steps, batch, Random(seed)), start=1):
        width = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([ids + [tokenizer.pad_token_id] * (width - len(ids)) for ids, _ in rows])
        answers = torch.tensor([[0.0] * at + [1.0] * (len(ids) - at) + [0.0] * (width - len(ids)) for ids, at in rows])
        texts = torch.tensor([[1.0] * len(ids) + [0.0] * (width - len(ids)) for ids, _ in rows])
        weight = (answers + texts)[:, 1:]
        # No attention mask: the padding is on the right, where a causal model never looks back from; twice as fast.
        logits = model(input_ids=ids).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        loss = loss.view(len(rows), -1)
        optimizer.zero_grad(set_to_none=True)
        ((loss * weight).sum() / weight.sum()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == total:
            said = (loss * answers[:, 1:]).sum() / answers[:, 1:].sum()
            print(f"step {step}/{total}  {lesson}: loss on answers {said.item():.3f}", flush=True)
    model.eval()
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("resources/pocket"))
    parser.add_argument("--seed", type=int, default=20240313)
    parser.add_argument("--steps", type=int, nargs=2, default=(700, 2300), help="of drills and of talk")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--vocabulary", type=int, default=1024)
    train(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
