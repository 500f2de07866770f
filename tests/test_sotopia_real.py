"""The authors' own files, where they are at hand: all of it comes through, both ways, and can be played."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from parley.canonical import digest
from parley.config import Play
from parley.exchange.sotopia.files import AGENTS, NAMES, SETS, read_files, write_files
from parley.exchange.sotopia.hub import PUBLISHED
from parley.exchange.sotopia.imported import provenance
from parley.exchange.sotopia.leftover import kept_aside
from parley.exchange.sotopia.line import OURS
from parley.exchange.sotopia.profiles import KNOWN, Profiles, counted, give, take
from parley.llm.call import Reply
from parley.llm.taken import Usage
from parley.playhouse.server import speak
from parley.records.character import Relationship
from parley.records.episode import Episode
from parley.records.jsonl import jsonl
from parley.records.message import Message
from parley.records.rating import Rating
from parley.records.task import NAME, read_tasks
from parley.world.casting import check_casts, fits
from parley.world.observation import Renderer
from parley.world.playing import parts, play_all
from parley.world.prompts import Prompt
from parley.world.rating import Verdict, fault_in, rate_episode
from tests.builders import PROMPTS, RETRY
from tests.sotopia_sample import REAL, lines_in, needs_the_real_files
from tests.talks import judged, played

pytestmark = needs_the_real_files


@cache
def real() -> Profiles:
    return take(read_files(REAL))


def test_all_of_it_comes_in() -> None:
    assert counted(real()) == {"characters": 40, "relationships": 120, "tasks": 90, "casts": 450}
    assert all(len(one.casts) == 5 and "all" in one.tags for one in real().tasks)
    assert sum("hard" in one.tags for one in real().tasks) == 14
    assert {one.relationship for one in real().acquaintances} == set(Relationship)


def test_what_comes_in_is_clean(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(jsonl(real().tasks), encoding="utf-8")
    assert read_tasks(tmp_path / "tasks.jsonl") == real().tasks  # unique names of the right form
    assert NAME.startswith("^")
    for one in real().tasks:
        for goal in one.goals:
            assert not any(mark in goal.spoken() for mark in ("<", ">", "()")), one.name
    for one in real().characters:
        for value in one.model_dump().values():
            for text in value if isinstance(value, tuple) else (value,):
                assert not isinstance(text, str) or (text and text == text.strip())


def test_every_cast_is_fit_for_its_task() -> None:
    people = {one.id: one for one in real().characters}
    known = {(frozenset(one.characters), one.relationship) for one in real().acquaintances}
    for one in real().tasks:
        check_casts(one, people, "real")
        for cast in one.casts:
            assert (frozenset(cast), one.relationship) in known
            assert all(low <= people[end].age <= high for end, (low, high) in zip(cast, one.ages, strict=True))
            if not any(one.occupations):
                assert all(fits(one, seat, people[cast[seat]]) for seat in (0, 1))


def test_an_export_is_the_file_again(tmp_path: Path) -> None:
    write_files(tmp_path, *give(real()))
    expected = lines_in(REAL)
    expected[AGENTS] = [{**line, "model_id": ""} for line in expected[AGENTS]]  # the sotopia package asks for it
    found = lines_in(tmp_path)
    assert found == expected
    assert not any(OURS in line for name in NAMES for line in found[name])
    for name in NAMES[1:]:
        assert (tmp_path / name).read_bytes() == (REAL / name).read_bytes(), name
    lists, published = (json.loads((folder / SETS).read_text()) for folder in (tmp_path, REAL))
    assert {name: sorted(ids) for name, ids in lists.items()} == {name: sorted(ids) for name, ids in published.items()}


def test_our_records_come_back_from_an_export(tmp_path: Path) -> None:
    for leftovers in (real().leftovers, []):
        one = Profiles(real().characters, real().acquaintances, real().tasks, leftovers)
        write_files(tmp_path / str(len(leftovers)), *give(one))
        back = take(read_files(tmp_path / str(len(leftovers))))
        assert (back.characters, back.acquaintances, back.tasks) == (one.characters, one.acquaintances, one.tasks)


def test_without_the_lists_the_same_tasks_are_hard(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes((REAL / name).read_bytes())
    assert take(read_files(tmp_path)).tasks == real().tasks


def test_only_the_source_of_a_task_has_no_place() -> None:
    homeless, spelled = kept_aside(real().leftovers, KNOWN)
    assert homeless == {"environment.source": 90}
    assert spelled["environment.agent_goals"] < 30  # the rest is written exactly as we write it


def test_the_files_are_those_that_the_hub_has() -> None:
    files = provenance({}, REAL, real())["files"]
    assert {name: files[name]["sha256"] for name in NAMES} == PUBLISHED
    assert all(files[name]["as_published"] for name in NAMES)


@pytest.mark.parametrize("players", [("expert", "partner"), ("partner", "wanderer")])
def test_scripted_speakers_can_play_some_of_them(players: tuple[str, str]) -> None:
    people = {one.id: one for one in real().characters}
    for one in real().tasks[::15]:
        cast = (people[one.casts[0][0]], people[one.casts[0][1]])
        for template in ("turn", "turn_short"):
            episode = played(one, players, template=template, people=cast)
            assert episode.turns
            entries = judged(one, episode, cast)
            verdict = Verdict.model_validate({"ratings": entries})
            assert fault_in(verdict, (cast[0].name, cast[1].name)) is None


class Scripted:
    """A scripted speaker of the playhouse, asked in this process in place of over HTTP."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.usage = Usage()

    async def chat(
        self, messages: Sequence[Message], *, schema: Any = None, seed: int | None = None, replicate: int = 0
    ) -> Reply:
        asked = [{"role": one["role"], "content": one["content"]} for one in messages]
        return Reply(digest([asked, seed, replicate]), speak(self.name, asked, seed), "stop", 1, 1, 0, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("template", ["turn", "turn_short"])
def test_all_450_casts_are_played_in_both_seats_and_rated_without_one_failure(template: str) -> None:
    people, tasks = {one.id: one for one in real().characters}, {one.name: one for one in real().tasks}
    speakers: dict[str, Any] = {name: Scripted(name) for name in ("expert", "partner", "judge")}
    renderer = Renderer(Prompt(PROMPTS / f"{template}.jinja"), Play(), tasks, people)
    rating = Prompt(PROMPTS / "rating.jinja")

    async def play_and_rate() -> tuple[list[Episode], list[Rating]]:
        episodes: list[Episode] = []
        for players in (("expert", "partner"), ("partner", "expert")):
            wanted = parts(real().tasks, 1)
            await play_all(wanted, players, speakers, renderer, RETRY, 1, 64, lambda number, one: episodes.append(one))
        judge = ("judge", speakers["judge"])
        rated = [await rate_episode(one, tasks[one.task], people, judge, rating, RETRY, 1) for one in episodes]
        return episodes, [one for pair in rated for one in pair]

    episodes, ratings = asyncio.run(play_and_rate())
    assert (len(episodes), len(ratings)) == (900, 1800)
    assert [one.failure for one in [*episodes, *ratings] if one.failure is not None] == []
    # Each cast of each task, once in each seating; nothing had to be mended or asked for again.
    assert Counter((one.task, one.cast) for one in episodes) == dict.fromkeys(
        ((one.name, cast) for one in real().tasks for cast in one.casts), 2
    )
    assert all(turn.attempts == 1 and not turn.repaired for one in episodes for turn in one.turns)
    assert Counter(one.player for one in ratings) == {"expert": 900, "partner": 900}
