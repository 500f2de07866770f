"""Priors and ranges: experience goes before defaults, the nearest before the farther, and ranges stay in order."""

import json
import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.config import check
from parley.estimate import experience, priors
from parley.estimate.experience import Experience, Took, gather
from parley.estimate.forecast import Calls, Range, by_model, money
from parley.estimate.priors import OWN, Priors, Turns, counted
from parley.llm.call import Reply, Request
from parley.llm.ledger import Ledger
from tests.builders import ROOT, changed, experiment

NUMBERS = st.floats(0, 1e6)
RANGES = st.tuples(NUMBERS, NUMBERS, NUMBERS).map(lambda values: Range(*sorted(values)))

# -- ranges and calls --------------------------------------------------------------------------------------------


@given(one=RANGES, other=RANGES)
def test_sums_and_products_of_ranges_stay_in_order(one: Range, other: Range) -> None:
    for made in (one + other, one * other, one * 2.0):
        assert made.low <= made.likely <= made.high


@given(calls=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), RANGES, st.floats(0, 1)), max_size=6))
def test_calls_are_summed_by_model_and_none_is_lost(calls: list[tuple[str, int, Range, float]]) -> None:
    found = by_model(Calls(name, paid, new, new, new, share) for name, paid, new, share in calls)
    assert sum(one.paid for one in found.values()) == sum(paid for _, paid, _, _ in calls)
    assert sum(one.new.likely for one in found.values()) == pytest.approx(sum(new.likely for _, _, new, _ in calls))
    assert all(0 <= one.cached <= 1 + 1e-9 for one in found.values())


def test_money_is_tokens_by_price_and_the_most_has_nothing_from_a_cache() -> None:
    price = {"input": 10, "cached_input": 1, "output": 30}
    priced = experiment({"models.expert.price": price})
    calls = Calls("expert", 0, Range(1, 2, 3), Range(1e6, 2e6, 3e6), Range(0, 1e6, 2e6), cached=0.5)
    assert calls.money(priced) == Range(5.5, 41.0, 90.0)
    assert money([calls, calls, Calls("judge", 9), Calls("writer", 9)], priced) == {"USD": Range(11.0, 82.0, 180.0)}


# -- turns -------------------------------------------------------------------------------------------------------


@given(
    counts=st.dictionaries(st.integers(1, 30), st.integers(1, 9), min_size=1),
    played=st.integers(0, 30),
    most=st.integers(2, 30),
)
def test_an_episode_that_goes_on_has_its_next_turn_for_certain_and_then_less_and_less(
    counts: dict[int, int], played: int, most: int
) -> None:
    shares = Turns(Counter(counts), 0.1, "").still_to_come(played, most)
    assert len(shares) <= max(0, most - played)
    assert (shares[:1] == [1.0]) == (played < most)
    assert all(before >= after >= 0 for before, after in pairwise(shares))


def test_from_the_start_the_shares_add_up_to_the_mean() -> None:
    turns = Turns(Counter({2: 1, 5: 2, 8: 1}), 0.1, "")
    assert sum(turns.still_to_come(0, 20)) == pytest.approx(turns.mean) == pytest.approx(5)
    assert turns.still_to_come(5, 20)[:4] == [1.0, 1.0, 1.0, 0.0]


def about(found: Experience | None = None) -> Priors:
    return Priors(experiment(), found or Experience())


def test_without_experience_the_limit_of_turns_cuts_the_default() -> None:
    assert about().turns(("base", "partner")).mean == pytest.approx(sum(priors.TURNS) / len(priors.TURNS))
    short = Priors(experiment({"play.max_turns": 4}), Experience()).turns(("base", "partner"))
    assert max(short.counts) == 4 and short.margin == priors.COLD


def test_the_nearest_episodes_tell_how_long_others_will_be() -> None:
    found = Experience()
    for players, turns in (
        (("expert", "expert"), 9),
        (("base", "partner"), 3),
        (("sr", "partner"), 5),
    ):
        for _ in range(60):
            found.learn_turns(players, turns)
    chosen = {players: about(found).turns(players) for players in (("base", "partner"), ("bc", "partner"))}
    assert chosen["base", "partner"].mean == 3 and chosen["base", "partner"].margin == priors.ENOUGH
    assert OWN in chosen["base", "partner"].source
    assert chosen["bc", "partner"].mean == 5  # a policy trained from the same model
    assert chosen["bc", "partner"].margin == priors.LITTLE
    assert about(found).turns(("expert", "partner")).mean == 9  # the expert's, rather than those of strangers
    assert about(found).turns(("judge", "writer")).mean == pytest.approx((9 + 3 + 5) / 3)


def test_where_episodes_are_gone_the_ledgers_tell_calls_for_each_rating() -> None:
    found = Experience(calls=Counter({("base", "partner"): 75}), rated=Counter({("base", "partner"): 10}))
    turns = about(found).turns(("base", "partner"))
    assert turns.mean == pytest.approx(7.5) and turns.source == "ledgers of their own"


# -- calls -------------------------------------------------------------------------------------------------------


def test_defaults_know_the_playhouse_and_what_an_answer_may_have() -> None:
    config = changed({"models.agent.max_tokens": 60, "models.expert.engine": "playhouse"})
    mixed = Priors(check(config), Experience())
    assert mixed.answer("episodes", "bc").value.likely == 20
    assert mixed.answer("episodes", "expert").value.likely == priors.ANSWER_PLAYHOUSE["episodes"]
    assert mixed.answer("ratings", "judge").value.likely == priors.ANSWER["ratings"]
    assert {prior.source for prior in mixed.used.values()} == {"default"}


def test_experience_with_the_same_adapter_state_goes_before_that_with_the_model() -> None:
    found = Experience()
    found.learn(("episodes", "expert-1", False), Took(100, 10_000, 4_000, 3_000, 10, 2, 4_000, 1_000))
    found.learn(("ratings", "judge-1", False), Took(10, 10_000, 0, 5_000, 0, 0, 0, 0))
    known = about(found)
    assert known.answer("episodes", "expert").value.likely == 30
    assert known.cached("episodes", "expert") == 0.4
    assert known.characters_per_token("episodes", "expert").value.likely == 4.0
    assert known.characters_per_token("ratings", "expert").source == "100 calls of it in other stages"
    # Two of ten calls were second tries: eight answers needed ten calls.
    assert known.attempts("episodes", "expert").value.likely == pytest.approx(1.25)
    assert known.answer("ratings", "judge").value.likely == 500
    assert known.answer("tasks", "writer").source == "default"
    assert known.cached("tasks", "writer") == 0.0


def test_kept_tasks_come_from_the_funnels() -> None:
    assert about(Experience(kept=Counter({True: 30, False: 10}))).kept().value.likely == 0.75
    assert about().kept().value.likely == priors.KEPT


def test_a_local_model_is_asked_for_its_own_tokenizer() -> None:
    assert 1.5 < (counted(ROOT / "resources/pocket/tokenizer.json") or 0) < 4
    assert counted(Path("nowhere/tokenizer.json")) is None


# -- experience ----------------------------------------------------------------------------------------------------


def put(path: Path, *calls: tuple[int, str, bool], model: str = "expert-1") -> None:
    """Store calls: completion tokens, prompt, and whether it was a second try."""
    with Ledger(path) as ledger:
        for number, (tokens, text, again) in enumerate(calls):
            messages = [{"role": "user", "content": text}]
            if again:
                messages += [{"role": "assistant", "content": "?"}, {"role": "user", "content": "once more"}]
            request = Request({"name": model}, tuple(messages), number)  # type: ignore[arg-type]
            ledger.put(request, Reply(request.key, "ok", "stop", len(text) // 5, tokens, 2, 0.1))


def test_ledgers_are_summed_by_stage_and_model(tmp_path: Path) -> None:
    put(tmp_path / "episodes/round1/a+b/00.sqlite", (10, "x" * 100, False), (30, "y" * 100, True))
    put(tmp_path / "episodes/round1/a+b/01.sqlite", (20, "x" * 50, False))
    put(tmp_path / "ratings/round1/a+b/judge/00.sqlite", (400, "z" * 10, False), model="judge-1")
    found = gather(experiment(), tmp_path)
    took = found.took["episodes", "expert-1", False]
    assert (took.calls, took.prompt_tokens, took.cached_tokens, took.completion_tokens) == (3, 50, 6, 60)
    assert (took.sampled, took.sampled_retries) == (3, 1)
    assert took.sampled_characters == 250 + len("?once more") and took.sampled_tokens == 50
    assert (found.calls["a", "b"], found.rated["a", "b"]) == (3, 1)


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, memory = tmp_path / "ledger/tasks/t.sqlite", tmp_path / "memory"
    put(path, (10, "x" * 100, False))
    first = gather(experiment(), tmp_path / "ledger", memory)
    read: list[Path] = []
    honest = experience._of_ledger
    monkeypatch.setattr(experience, "_of_ledger", lambda path, stage: read.append(path) or honest(path, stage))
    assert gather(experiment(), tmp_path / "ledger", memory).took == first.took and read == []
    put(path, (10, "x" * 100, False), (10, "y" * 100, False))
    os.utime(path, ns=(1, 1))
    assert gather(experiment(), tmp_path / "ledger", memory).took["tasks", "expert-1", False].calls == 2
    assert read == [path]


def test_a_damaged_ledger_or_memory_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, memory = tmp_path / "ledger/tasks/t.sqlite", tmp_path / "memory"
    put(path, (10, "x" * 100, False))
    gather(experiment(), tmp_path / "ledger", memory)
    for kept in memory.iterdir():
        kept.write_text("{broken")
    assert gather(experiment(), tmp_path / "ledger", memory).took
    path.write_bytes(b"no database" * 400)
    assert not gather(experiment(), tmp_path / "ledger").took
    assert "the estimate learns nothing from it" in capsys.readouterr().err


def test_episodes_and_funnels_of_the_results_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    episodes = Path("results/mini/episodes/round1/bc+partner/00.jsonl")
    episodes.parent.mkdir(parents=True)
    lines = [{"ending": "left", "turns": [1] * 3}, {"ending": "failed", "turns": [1]}, {"ending": "turns", "turns": []}]
    episodes.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{broken\n")
    funnel = Path("results/mini/tasks/round1/written.funnel.json")
    funnel.parent.mkdir(parents=True)
    funnel.write_text('{"kept": 4, "duplicate": 2, "invalid": 1}')
    found = gather(experiment(), tmp_path / "ledger")
    assert found.turns == {("bc", "partner"): Counter({3: 1, 0: 1})}
    assert found.kept == Counter({True: 4, False: 3})
