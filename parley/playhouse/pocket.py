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
from parley.playhouse.families import DRAFTERS, Draft, read_goal
from parley.playhouse.language import lexicon
from parley.playhouse.server import speak
from parley.records.character import Character, Relationship, read_characters
from parley.records.episode import Action, Turn
from parley.records.jsonl import read_jsonl
from parley.records.task import Goal, Keyword, Task
from parley.world.observation import turn_text
from parley.world.prompts import prompt

SPECIALS = ("<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: Turns that a prompt of the training text shows, as `play.history` of the default experiment.
PLAY = Play(max_turns=12, history=6)

Example = tuple[str, str]  # prompt, answer


# -- the training text ----------------------------------------------------------------------------------------------


def loosen(draft: Draft, rng: Random) -> Draft:
    """The draft with its terms and clauses replaced by random phrases, so that only copying gets them right."""
    words = lexicon()

    def thing() -> str:
        return f"the {rng.choice(words['loose_adjectives'])} {rng.choice(words['loose_nouns'])}"

    def fresh(kind: str, old: str) -> str:
        if old.startswith("$"):
            return f"${10 * rng.randint(1, 30)}"
        if kind == "clause":
            return f"{thing()} is {rng.choice(words['loose_adjectives'])}"
        if kind == "verb":
            return f"bring back {thing()}"
        return f"{rng.choice(words['loose_verbs'])} {thing()}"

    wants = [read_goal(goal["text"]) for goal in draft.goals]
    swaps: dict[str, str] = {}
    for want in wants:
        clause = want.kind == "keep"
        for old, kind in ((want.wish, "clause" if clause else "phrase"), (want.middle, "clause" if clause else "phrase")):
            if old and old not in swaps and want.kind != "ask":
                verb = want.kind in ("sorry", "hurt") and old == want.middle
                swaps[old] = fresh("verb" if verb else kind, old)
    goals = []
    for goal in draft.goals:
        text, extra = goal["text"], goal["extra_info"]
        for old, new in sorted(swaps.items(), key=lambda swap: -len(swap[0])):
            text = text.replace(old, new)
        goals.append({**goal, "text": text, "extra_info": f"Your reason: {fresh('clause', '')}." if extra else None})
    return Draft(draft.scenario, (goals[0], goals[1]))


def talk(rng: Random, people: tuple[Character, Character], keyword: str) -> Iterator[Example]:
    """One talk between wanderers, as the examples of its turns."""
    draft = DRAFTERS[rng.choice(list(DRAFTERS))](rng)
    if rng.random() < 0.6:
        draft = loosen(draft, rng)
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


def examples(count: int, seed: int) -> list[Example]:
    """`count` examples, at most four of any talk, in the order in which they were talked."""
    rng = Random(seed)
    people = list(read_characters("resources/characters.jsonl").values())
    keywords = [keyword.text for keyword in read_jsonl("resources/keywords.jsonl", Keyword)]
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
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="<|im_end|>",
        pad_token="<pad>",
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def build_model(tokenizer: Any) -> Any:
    """The untrained model: 128 wide, 4 layers, 4 heads of which 2 hold keys, tied embeddings."""
    from transformers import AutoModelForCausalLM, MistralConfig

    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=1024,
        sliding_window=None,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return AutoModelForCausalLM.from_config(config)


def encode(tokenizer: Any, made: Sequence[Example]) -> list[tuple[list[int], int]]:
    """Token ids of each example, and where its answer starts."""
    prompts = [f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n" for text, _ in made]
    answers = [f"{answer}<|im_end|>" for _, answer in made]
    heads = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    tails = tokenizer(answers, add_special_tokens=False)["input_ids"]
    return [(head + tail, len(head)) for head, tail in zip(heads, tails, strict=True)]


def batches(encoded: Sequence[tuple[list[int], int]], size: int, rng: Random) -> Iterator[list[tuple[list[int], int]]]:
    """Batches of similar length, from pools of 32 batches, so that little is padding; batch order is random."""
    pool = size * 32
    for start in range(0, len(encoded) - size + 1, pool):
        part = sorted(encoded[start : start + pool], key=lambda item: len(item[0]))
        cut = [part[i : i + size] for i in range(0, len(part) - size + 1, size)]
        rng.shuffle(cut)
        yield from cut


def train(out: Path, seed: int, steps: int, batch: int, rate: float, vocabulary: int, answer_weight: float) -> None:
    """Make the checkpoint folder `out` from the seed. The loss is on the whole text: copying is learned from all of it."""
    import torch
    from transformers import set_seed

    set_seed(seed)
    rng = Random(seed)
    made = examples(steps * batch, seed)
    tokenizer = build_tokenizer([f"{text}\n{answer}" for text, answer in made[:20000]], vocabulary)
    model = build_model(tokenizer)
    encoded = encode(tokenizer, made)
    mean = sum(len(ids) for ids, _ in encoded) / len(encoded)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(made):,} examples of {mean:.0f} tokens", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100) * max(0.02, 1 - step / steps)
    )
    for step, rows in enumerate(batches(encoded, batch, rng), start=1):
        width = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([ids + [tokenizer.pad_token_id] * (width - len(ids)) for ids, _ in rows])
        weight = torch.tensor(
            [[1.0] * at + [answer_weight] * (len(ids) - at) + [0.0] * (width - len(ids)) for ids, at in rows]
        )[:, 1:]
        # No attention mask: the padding is on the right, where a causal model never looks back from; twice as fast.
        logits = model(input_ids=ids).logits[:, :-1]
        flat = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        loss = flat.view(len(rows), -1)
        total = (loss * weight).sum() / weight.sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps:
            answer = (loss * (weight == answer_weight)).sum() / (weight == answer_weight).sum()
            print(f"step {step}/{steps}  loss {total.item():.3f}  answers {answer.item():.3f}", flush=True)
    model.eval()
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("resources/pocket"))
    parser.add_argument("--seed", type=int, default=20240313)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--vocabulary", type=int, default=1536)
    parser.add_argument("--answer-weight", type=float, default=2.0)
    options = parser.parse_args()
    train(**{key.replace("-", "_"): value for key, value in vars(options).items()})


if __name__ == "__main__":
    main()
