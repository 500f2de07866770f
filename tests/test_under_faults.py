"""A small experiment against endpoints that fail: nothing silent, nothing lost, everything told."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import polars as pl
import pytest

from parley.config import Experiment, Selection, check
from parley.learning.selection import select
from parley.llm import source
from parley.llm.ledger import Ledger
from parley.llm.pulse import Patience
from parley.llm.speaker import Speaker, speakers
from parley.llm.troubles import Troubles
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl
from parley.records.rating import Rating, ratings_frame
from parley.records.task import Keyword, read_tasks
from parley.report.failures import Share, failures
from parley.report.load import load
from parley.world.observation import Renderer
from parley.world.playing import Part, play_all
from parley.world.prompts import Prompt
from parley.world.rating import rate_episode
from parley.world.writing import Written, write_tasks
from tests.builders import PROMPTS, RETRY, ROOT
from tests.faulty import playing_up
from tests.test_playhouse_server import started
from tests.workflow import Workshop, talk_only

FAULTS = "429=0.2,bad_json=0.1,reset=0.05"
PEOPLE = read_characters(str(ROOT / "resources/characters.jsonl"))
QUICK = Patience(first_wait=0.005, longest_wait=0.05)


@dataclass
class Run:
    """What a small experiment came to, and what its server did."""

    episodes: list[Episode]
    ratings: list[Rating]
    troubles: dict[str, Troubles]
    failed_calls: dict[str, int]
    met: Counter[str]
    sent: int
    replayed: int
    ledger: Path

    @property
    def failed(self) -> list[Episode]:
        return [episode for episode in self.episodes if episode.failed]


def experiment(url: str, timeout: float = 30) -> Experiment:
    """The talk-only experiment with all speakers at one address."""
    config = talk_only()
    for name, model in config["models"].items():
        config["models"][name] = {
            **{"engine": "openai", "name": name, "base_url": url, "price": "free", "timeout": timeout},
            "temperature": model.get("temperature", 1.0),
        }
    return check(config)


TASKS = {task.name: task for task in read_tasks(str(ROOT / "resources/tasks/evaluation.jsonl"))[:6]}


async def play(url: str, ledger: Path, timeout: float = 30) -> tuple[list[Episode], list[Rating], dict[str, Speaker]]:
    """Twelve episodes of expert and partner, and what the judge makes of them."""
    setup = experiment(url, timeout)
    renderer = Renderer(Prompt(PROMPTS / "turn_short.jinja"), setup.play, TASKS, PEOPLE)
    plays = [Part(task, cast, 0) for task in TASKS.values() for cast in task.casts[:2]]
    with Ledger(ledger) as kept:
        async with speakers(setup, ["expert", "partner", "judge"], kept) as found:
            played: dict[int, Episode] = {}
            who = ("expert", "partner")
            await play_all(plays, who, found, renderer, RETRY, setup.seed, 8, played.__setitem__)
            episodes = [played[number] for number in range(len(plays))]
            template, judge = Prompt(PROMPTS / "rating.jinja"), ("judge", found["judge"])
            rated = [rate_episode(one, TASKS[one.task], PEOPLE, judge, template, RETRY, setup.seed) for one in episodes]
            ratings = [rating for made in await asyncio.gather(*rated) for rating in made]
            return episodes, ratings, found


def run(ledger: Path, faults: str, seed: int = 0, timeout: float = 30) -> Run:
    async def work() -> Run:
        async with playing_up(faults, seed) as (url, schedule):
            episodes, ratings, found = await play(url, ledger, timeout)
        return Run(
            episodes,
            ratings,
            {name: speaker.usage.troubles for name, speaker in found.items()},
            {name: speaker.usage.failures for name, speaker in found.items()},
            schedule.met,
            sum(speaker.counts.sent for speaker in found.values()),
            sum(speaker.counts.replayed for speaker in found.values()),
            ledger,
        )

    return asyncio.run(asyncio.wait_for(work(), 120))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PATIENCE", QUICK)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The experiment without faults."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "PATIENCE", QUICK)
        yield run(tmp_path_factory.mktemp("calm") / "0.sqlite", "")


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The experiment under many faults: enough that some turns fail twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "PATIENCE", QUICK)
        yield run(tmp_path_factory.mktemp("stormy") / "0.sqlite", "429=0.2,bad_json=0.25,reset=0.05")


def bare(episode: Episode) -> str:
    """An episode without how often it had to be asked for, and by which call it came then."""
    turns = [turn.model_copy(update={"call": "", "attempts": 1, "repaired": False}) for turn in episode.turns]
    return episode.model_copy(update={"turns": tuple(turns)}).model_dump_json()


def stored(ledger: Path) -> list[tuple[str, str, str, list[str]]]:
    """(key, text, how it ended, why its tries failed) of each answered call."""
    with sqlite3.connect(ledger) as connection:
        rows = connection.execute("SELECT key, text, finish_reason, failures FROM calls").fetchall()
    return [(key, text, finish, json.loads(failures)) for key, text, finish, failures in rows]


def given_up(ledger: Path) -> list[tuple[str, str]]:
    """(key, reason) of each call that failed for good."""
    with sqlite3.connect(ledger) as connection:
        return connection.execute("SELECT key, reason FROM failures").fetchall()


def check_turns(found: Run) -> None:
    """Every act of every episode is what a model answered, word for word: nothing is made up, silence least of all."""
    texts = {key: text for key, text, _, _ in stored(found.ledger)}
    for episode in found.episodes:
        for turn in episode.turns:
            said = json.loads(texts[turn.call].strip().removeprefix("Here it is:\n```json\n").split("\n```")[0])
            assert (turn.action.action_type, turn.action.argument) == (said["action_type"], said["argument"])


def check_failures(found: Run) -> None:
    """A failed episode says where and why, has no turn after that, and nobody rated it."""
    for episode in found.failed:
        turn = len(episode.turns) + 1
        assert episode.failure is not None and episode.failure.startswith(f"seat {(turn - 1) % 2}, turn {turn}: ")
    failed = {episode.id: episode.failure for episode in found.failed}
    for rating in found.ratings:
        if rating.episode in failed:
            assert (rating.marks, rating.failure) == (None, f"episode failed: {failed[rating.episode]}")


# -- the whole -----------------------------------------------------------------------------------------------------


def test_under_429_bad_json_and_resets_no_turn_is_silent_and_each_failure_is_in_the_record(
    tmp_path: Path, calm: Run
) -> None:
    found = run(tmp_path / "0.sqlite", FAULTS, seed=1)
    assert len(found.episodes) == 12 and len(found.ratings) == 24
    check_turns(found)
    check_failures(found)
    # As many reasons in the ledger as the server had faults, kind by kind.
    calls = stored(found.ledger)
    reasons = Counter(reason.split(":")[0] for _, _, _, failures in calls for reason in failures)
    assert not given_up(found.ledger)
    assert reasons == {"HTTP 429": found.met["429"], "connection broken": found.met["reset"]}
    assert sum("in my own words" in text for _, text, _, _ in calls) == found.met["bad_json"]
    assert min(found.met.values()) > 0
    # And as many in what the report counts.
    told: Counter[str] = Counter()
    for troubles in found.troubles.values():
        told.update(troubles.reasons)
    assert told == {
        "HTTP 429": found.met["429"],
        "connection broken": found.met["reset"],
        "no JSON": found.met["bad_json"],
    }
    assert (
        sum(troubles.asked_again + troubles.unreadable for troubles in found.troubles.values()) == found.met["bad_json"]
    )
    # What did not fail is what it would have been without faults.
    whole = {bare(episode) for episode in calm.episodes}
    assert {bare(episode) for episode in found.episodes if not episode.failed} <= whole
    assert len(found.failed) <= 3


def test_attempts_are_told_and_only_calls_that_were_asked_again_have_another_key(stormy: Run, calm: Run) -> None:
    pairs = [(one, other) for one, other in zip(stormy.episodes, calm.episodes, strict=True) if not one.failed]
    assert [bare(one) for one, _ in pairs] == [bare(other) for _, other in pairs]
    turns = [both for one, other in pairs for both in zip(one.turns, other.turns, strict=True)]
    assert all((one == other) == (one.attempts == 1) for one, other in turns)
    assert {one.attempts for one, _ in turns} == {1, 2}


def test_what_failed_is_kept_out_of_selection_and_ratings(stormy: Run) -> None:
    check_turns(stormy)
    check_failures(stormy)
    failed = {episode.id for episode in stormy.failed}
    assert failed and len(failed) < 12
    frame = ratings_frame(stormy.ratings)
    selection = select(frame, Selection.model_validate({"rule": "sr", "share": 1.0}))
    assert set(selection.filter(pl.col("kept"))["episode"]) & failed == set()
    out = selection.filter(pl.col("episode").is_in(list(failed)))
    assert set(out["outcome"]) == {"episode failed"} and len(out) == 2 * len(failed)
    assert out["reward"].null_count() == len(out)  # no 0 anywhere
    unrated = selection.filter(pl.col("outcome") == "rating failed")
    assert len(selection.filter("kept")) == 24 - len(out) - len(unrated)


def test_the_same_faults_give_the_same_record(stormy: Run, tmp_path: Path) -> None:
    again = run(tmp_path / "0.sqlite", "429=0.2,bad_json=0.25,reset=0.05")
    assert [one.model_dump_json() for one in again.episodes] == [one.model_dump_json() for one in stormy.episodes]
    assert [one.model_dump_json() for one in again.ratings] == [one.model_dump_json() for one in stormy.ratings]
    assert (again.troubles, again.met) == (stormy.troubles, stormy.met)


def test_a_replay_needs_no_server_and_tells_the_same(stormy: Run) -> None:
    async def work() -> tuple[list[Episode], list[Rating], dict[str, Speaker]]:
        return await play("http://127.0.0.1:9/v1", stormy.ledger)

    episodes, ratings, found = asyncio.run(work())
    assert (episodes, ratings) == (stormy.episodes, stormy.ratings)
    assert sum(speaker.counts.sent for speaker in found.values()) == 0
    assert {name: speaker.usage.troubles for name, speaker in found.items()} == stormy.troubles


# -- fault by fault ------------------------------------------------------------------------------------------------

#: Each with the reason that it has in the record.
PASSING = {
    "429=0.3": "HTTP 429",
    "429=0.3:0.01": "HTTP 429",
    "500=0.2": "HTTP 500",
    "503=0.2": "HTTP 503",
    "reset=0.2": "connection broken",
    "truncated=0.2": "connection broken",
    "html=0.2": "no chat completion",
    "not_json=0.2": "no chat completion",
    "hang=0.06": "no answer in time",
}


@pytest.mark.parametrize("faults", PASSING)
def test_what_passes_leaves_no_trace_but_its_reason(faults: str, tmp_path: Path, calm: Run) -> None:
    found = run(tmp_path / "0.sqlite", faults, timeout=2 if "hang" in faults else 30)
    assert found.episodes == calm.episodes
    assert [one.marks for one in found.ratings] == [one.marks for one in calm.ratings]
    told = Counter(kind for troubles in found.troubles.values() for kind in troubles.reasons)
    assert set(told) == {PASSING[faults]} and not found.failed
    assert sum(troubles.reasons[PASSING[faults]] for troubles in found.troubles.values() if troubles.reasons) == sum(
        found.met.values()
    )
    assert all(not (one.asked_again or one.repaired or one.unreadable) for one in found.troubles.values())


def test_a_slow_first_byte_is_waited_for(tmp_path: Path, calm: Run) -> None:
    found = run(tmp_path / "0.sqlite", "slow=0.3:0.05")
    assert found.met["slow"] and found.episodes == calm.episodes and found.ratings == calm.ratings
    assert all(one == Troubles(answers=one.answers) for one in found.troubles.values())


def test_fences_are_mended_and_nothing_is_asked_twice(tmp_path: Path, calm: Run) -> None:
    found = run(tmp_path / "0.sqlite", "fenced=0.3")
    check_turns(found)
    assert [bare(one) for one in found.episodes] == [bare(one) for one in calm.episodes]
    assert sum(one.repaired for one in found.troubles.values()) == found.met["fenced"] > 0
    assert found.sent == calm.sent
    repaired = sum(turn.repaired for episode in found.episodes for turn in episode.turns)
    assert repaired == found.met["fenced"] - found.troubles["judge"].repaired


UNUSABLE = {
    "bad_json": "no JSON",
    "wrong_value": "not of the form asked for",
    "empty": "empty",
    "refusal": "refused by the model",
    "length": "cut off by the token limit",
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_an_unusable_answer_is_asked_for_once_more_and_then_it_is_a_failure(
    fault: str, tmp_path: Path, calm: Run
) -> None:
    found = run(tmp_path / "0.sqlite", f"{fault}=0.25", seed=2)
    check_turns(found)
    check_failures(found)
    assert found.failed, "the seed is meant to let one fail"
    good = [(one, other) for one, other in zip(found.episodes, calm.episodes, strict=True) if not one.failed]
    assert good and [bare(one) for one, _ in good] == [bare(other) for _, other in good]
    played = Counter[str]()
    for name in ("expert", "partner"):
        played.update(found.troubles[name].reasons)
    assert set(played) == {UNUSABLE[fault]}
    assert found.failed_calls == {"expert": 0, "partner": 0, "judge": 0}  # the calls were answered
    total = sum(sum(one.reasons.values()) for one in found.troubles.values())
    assert total == found.met.total() == sum(one.asked_again + one.unreadable for one in found.troubles.values())


def test_marks_under_other_names_are_given_to_nobody(tmp_path: Path, calm: Run) -> None:
    found = run(tmp_path / "0.sqlite", "wrong_names=0.5")
    assert found.episodes == calm.episodes  # players give no names
    assert found.troubles["judge"].reasons == {"other names": found.met["wrong_names"]}
    lost = [rating for rating in found.ratings if rating.failure]
    assert lost and all("Somebody Else" in str(rating.failure) for rating in lost)
    assert all(rating.marks is None for rating in lost)
    kept = {rating.episode: rating.marks for rating in calm.ratings if rating.seat == 0}
    assert all(
        rating.marks == kept[rating.episode] for rating in found.ratings if rating.seat == 0 and not rating.failure
    )


@pytest.mark.parametrize("seed", range(3))
def test_everything_at_once(seed: int, tmp_path: Path, calm: Run) -> None:
    names = ["429", "500", "503", "reset", "truncated", "html", "not_json", *UNUSABLE, "fenced", "wrong_names"]
    found = run(tmp_path / "0.sqlite", ",".join(f"{name}=0.04" for name in names), seed)
    check_turns(found)
    check_failures(found)
    whole = {bare(one) for one in calm.episodes}
    assert {bare(one) for one in found.episodes if not one.failed} <= whole
    # Faults and reasons are one to one; fences are mended.
    reasons = sum(sum(one.reasons.values()) for one in found.troubles.values())
    assert reasons + sum(one.repaired for one in found.troubles.values()) == found.met.total()


# -- writing -------------------------------------------------------------------------------------------------------


def test_tasks_that_could_not_be_written_are_in_the_funnel_with_the_reason(tmp_path: Path) -> None:
    keywords = read_jsonl(str(ROOT / "resources/keywords.jsonl"), Keyword)[:40]

    async def write(faults: str, ledger: Path) -> tuple[Written, Counter[str]]:
        async with playing_up(faults, seed=1) as (url, schedule):
            with Ledger(ledger) as kept:
                async with speakers(experiment(url), ["writer"], kept) as found:
                    template = Prompt(PROMPTS / "task.jinja")
                    made = await write_tasks(found["writer"], template, RETRY, keywords, 12, [], 0.99, 1)
        return made, schedule.met

    plain, _ = asyncio.run(write("", tmp_path / "a.sqlite"))
    made, met = asyncio.run(write("429=0.2,bad_json=0.15,wrong_value=0.2,empty=0.1,400=0.1", tmp_path / "b.sqlite"))
    assert len(made.tasks) == 12 and met.total() > 0
    reasons = dict(made.dropped)
    assert made.funnel()["invalid"] + made.funnel()["call failed"] == len(reasons)
    assert all(reason.startswith(("invalid: ", "call failed: HTTP 400: ")) for reason in reasons.values())
    # A task that was written is the one that this keyword gives without faults.
    wanted = {task.name: task for task in plain.tasks}
    assert [task for task in made.tasks if task.name in wanted] == [
        wanted[task.name] for task in made.tasks if task.name in wanted
    ]
    assert {task.name for task in made.tasks} & set(reasons) == set()


# -- the whole way -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_report_tells_what_the_server_did(tmp_path: Path) -> None:
    """Real jobs, from keywords to the page, under the faults; a second run makes no call but those that failed."""
    with started("--faults", FAULTS, "--seed", "1") as (_, port):
        address = f"http://127.0.0.1:{port}"
        config = talk_only()
        for name, model in config["models"].items():
            reached = {"engine": "openai", "name": name, "base_url": f"{address}/v1", "price": "free"}
            config["models"][name] = {**reached, "temperature": model.get("temperature", 1.0)}
        workshop = Workshop(tmp_path / "talk", config)
        workshop.run("report")
        with urlopen(f"{address}/faults") as answer:
            met = json.load(answer)["met"]
    found = load(workshop.results, check(config))
    assert found.gaps == {}
    told = dict(found.reasons.group_by("kind").agg(pl.col("n").sum()).iter_rows())
    assert told == {"HTTP 429": met["429"], "connection broken": met["reset"], "no JSON": met["bad_json"]}
    result = failures(found)
    episodes = [one for path in workshop.results.glob("episodes/**/*.jsonl") for one in read_jsonl(path, Episode)]
    assert result.total.episodes == Share(sum(one.failed for one in episodes), len(episodes))
    rated = pl.concat([pl.read_parquet(path) for path in workshop.results.glob("ratings/**/*.parquet")])
    for episode in episodes:
        reasons = set(rated.filter(pl.col("episode") == episode.id)["failure"])
        assert not episode.failed or reasons == {f"episode failed: {episode.failure}"}
    scores = pl.concat([pl.read_parquet(path) for path in workshop.results.glob("scores/*/all.parquet")])
    lost = rated.filter(pl.col("failure").is_not_null() & (pl.col("player") == "expert"))
    assert set(scores["failed"]) == {len(lost)} or lost.is_empty()
    page = (workshop.results / "report/index.html").read_text(encoding="utf-8")
    assert "no JSON" in page and "HTTP 429" in page
    assert "Nothing to be done" in workshop.run("report")
