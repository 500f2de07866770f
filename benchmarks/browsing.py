"""What it takes to write the folder of episodes, and how quick it is in a browser, with ten thousand of them.

    python -m benchmarks.browsing            a minute or two; the browser's part needs a Chromium

Episodes are made up: twenty turns of twenty-five words, two ratings with seven reasons of twenty words each.
"""

import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gauge import peak_megabytes
from benchmarks.machine import machine
from parley.config import Experiment
from parley.records.episode import Action, Episode, Turn
from parley.records.frames import write_parquet
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.records.rating import DIMENSIONS, Mark, Rating, ratings_frame
from parley.report.episodes.catalogue import Catalogue
from parley.report.episodes.folder import write_folder
from parley.report.findings import layout_of
from tests.browser import chromium, tab, until
from tests.report_sample import make_sample

EPISODES, TURNS, WORDS, REASON = 10_000, 20, 25, 20


def grow(root: Path, experiment: Experiment, number: int) -> None:
    """Replicates of the sample's episodes with longer talks, until there are at least `number`."""
    layout, draw = layout_of(root, experiment), random.Random(1)
    there = sum(len(read_jsonl(path, Episode)) for path in dict.fromkeys(layout.all_episodes()))
    vocabulary = ["".join(draw.choices("aeioulnrstmd", k=draw.randint(2, 9))) for _ in range(4000)]

    def words(count: int) -> str:
        return " ".join(draw.choices(vocabulary, k=count))

    for task_set, players, judge in layout.plays():
        for path, rated in zip(
            layout.episodes(task_set, players), layout.ratings(task_set, players, judge), strict=True
        ):
            episodes = [
                talk.model_copy(
                    update={"replicate": again, "turns": _turns(talk, words), "ending": "turns", "failure": None}
                )
                for talk in read_jsonl(path, Episode)
                for again in range(-(-number // there))
            ]
            write_jsonl(path, episodes)
            ratings = [_rating(talk, seat, judge, draw, words) for talk in episodes for seat in (0, 1)]
            write_parquet(rated, ratings_frame(ratings))


def _turns(talk: Episode, words: Any) -> tuple[Turn, ...]:
    said = [Action(action_type="speak", argument=words(WORDS)) for _ in range(TURNS)]
    return tuple(
        Turn(seat=place % 2, speaker=talk.names[place % 2], action=act, call="0") for place, act in enumerate(said)
    )


def _rating(talk: Episode, seat: int, judge: str, draw: random.Random, words: Any) -> Rating:
    marks = {d.key: Mark(score=draw.randint(d.low, d.high), reasoning=words(REASON)) for d in DIMENSIONS}
    return Rating(
        episode=talk.id, task=talk.task, cast=talk.cast, seat=seat, name=talk.names[seat], player=talk.players[seat],
        partner=talk.players[1 - seat], replicate=talk.replicate, judge=judge, call="0", marks=marks,
    )  # fmt: skip


#: What is done in the browser: an address, and what is true when it is there.
STEPS = (
    ("filter by evaluation, player and score", "evaluation=hard&policy=bc&max=3", "!/^10/.test(found)"),
    ("sort all by score", "sort=score-up", "/^10/.test(found)"),
    ("search the scenarios", "q=market+5th", "!/^10/.test(found)"),
    (
        "search what was said, through every part",
        "said=no+such+words",
        "/^0 episodes of/.test(found) && !/read/.test(found)",
    ),
)


def browse(url: str) -> None:
    """Print what each step takes, in milliseconds of the wall."""
    with chromium() as browser:
        start = time.perf_counter()
        with tab(browser, url) as page:
            page.wait_for_selector("#rows tbody tr")
            print(f"open the list: {1000 * (time.perf_counter() - start):.0f} ms, with the start of a tab")
            for what, address, done in STEPS:
                page.evaluate("location.hash = '#set=round1'")
                page.wait_for_timeout(400)
                taken = page.evaluate(
                    f"""async () => {{
                        const start = performance.now();
                        location.hash = "#{address}";
                        for (;;) {{
                            await new Promise((next) => setTimeout(next, 1));
                            const found = document.querySelector("#found").textContent;
                            if (!/round1/.test(location.hash) && {done}) return performance.now() - start;
                        }}
                    }}"""
                )
                print(f"{what}: {taken:.0f} ms")
            page.evaluate("location.hash = '#'")
            page.wait_for_selector("#rows th a")
            start = time.perf_counter()
            page.click("#rows th a")
            until(page, "document.querySelector('#reading .play')")
            print(f"open an episode: {1000 * (time.perf_counter() - start):.0f} ms, with the click")


def main() -> None:
    """Make the episodes, write the folder, look at it."""
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        root, experiment = make_sample(Path(folder))
        grow(root, experiment, EPISODES)
        start = time.perf_counter()
        number = write_folder(Catalogue(layout_of(root, experiment), {}), root / "report/episodes")
        taken, files = time.perf_counter() - start, list((root / "report/episodes").iterdir())
        size = {path.name: path.stat().st_size / 1e6 for path in files}
        print(f"{number} episodes written in {taken:.1f} s, at most {peak_megabytes():.0f} MB of memory")
        print(f"{sum(size.values()):.0f} MB in {len(files)} files, the catalogue {size['catalogue.js']:.1f} MB")
        browse((root / "report/episodes/index.html").as_uri())


if __name__ == "__main__":
    main()
