"""The page as a whole: complete, self-contained, safe, deterministic, and honest about what is not there."""

import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from parley.config import Experiment
from parley.records.episode import Action, Episode
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.report import parts, tables
from parley.report.figures import figures, save_figures
from parley.report.load import load
from parley.report.page import render
from parley.report.provenance import Provenance, provenance
from parley.report.transcripts import transcripts
from tests.report_sample import make_sample, sample_experiment

VOID = {"meta", "link", "br", "hr", "img", "input", "path", "use", "rect"}
SECTIONS = [
    *("answer", "people", "scores", "dimensions", "learning", "side-effects", "tables", "transcripts", "effort"),
    *("failures", "lineage", "provenance"),
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    return make_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def page(sample: tuple[Path, Experiment]) -> str:
    return render(load(*sample), Provenance(seed=3, commit="c0ffee", versions={"torch": "9.9"}))


class Outline(HTMLParser):
    """The tags, ids, links and text of a page; a tag that closes what is not open is a fault."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags[tag] += 1
        self.attributes.append((tag, found))
        self.ids += [str(found["id"])] if "id" in found else []
        self.links += [str(value) for name, value in found.items() if name in ("href", "src", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_tag_is_closed_and_every_id_is_unique(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    assert [name for name, number in Counter(outline.ids).items() if number > 1] == []


def test_the_sections_are_there_in_their_order(page: str) -> None:
    assert re.findall(r'<section id="([^"]+)"', page) == SECTIONS


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    outline = Outline(page)
    ids = set(outline.ids)
    beside = [link for link in outline.links if not (link.startswith("#") and link[1:] in ids)]
    assert all(link.startswith(("episodes/index.html", "../")) for link in beside)
    assert not [found for tag, found in outline.attributes if tag != "a" and set(found) & {"src", "srcset", "data"}]
    assert set(re.findall(r"url\((?!#)[^)]*\)", page)) == set()
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= ids
    assert "@import" not in page and outline.tags["script"] == 0
    assert len(page.encode()) < 2_000_000


def test_the_same_findings_give_the_same_bytes(sample: tuple[Path, Experiment], page: str) -> None:
    again = render(load(*sample), Provenance(seed=3, commit="c0ffee", versions={"torch": "9.9"}))
    assert again == page


def test_it_can_be_used_without_eyes_and_without_a_mouse(page: str) -> None:
    outline = Outline(page)
    assert outline.tags["main"] == outline.tags["header"] == outline.tags["footer"] == outline.tags["h1"] == 1
    drawings = [found for tag, found in outline.attributes if tag == "svg"]
    # GOAL, differences, rounds, training and Figure 4 (each for a phone too); dimensions, a family of risks; the lineage.
    assert len(drawings) == 2 * 5 + 8 + 1 + 1
    assert [found["role"] for found in drawings].count("img") == 2, (
        "training alone has no number that episodes are behind"
    )
    assert {found["role"] for found in drawings} == {"img", "group"}
    assert all(found["aria-label"] for found in drawings)
    boxes = [found for _, found in outline.attributes if found.get("class") == "scroll"]
    assert boxes
    assert all(found["tabindex"] == "0" and found["aria-label"] for found in boxes)
    assert outline.tags["table"] == len(re.findall(r'class="scroll"[^>]*>\s*<table', page))
    assert all("scope" in found for tag, found in outline.attributes if tag == "th")


def test_colours_are_variables_that_are_defined_for_light_and_for_dark(page: str) -> None:
    style, body = page.split("</style>", 1)
    assert re.findall(r"#[0-9a-f]{6}\b", re.sub(r"url\(#[^)]*\)|<code>.*?</code>", "", body)) == []
    for name in set(re.findall(r"var\((--[a-z0-9-]+)\)", page)) - {"--of", "--at", "--chance"}:
        assert style.count(f"{name}: #") == 2, name


def test_the_answer_is_in_words_with_its_interval_and_who_judged(page: str) -> None:
    words = " ".join(Outline(page).text.split())
    assert re.search(r"Of the trained policies bc_sr reaches its goals best on hard: GOAL \d\.\d\d \[", words)
    assert re.search(r"That is \+\d\.\d\d \[\d\.\d\d, \d\.\d\d\] over base", words)
    assert "<h1>bc_sr reaches its goals better than base does</h1>" in page
    assert "By a model alone: No person has rated these conversations" in words
    assert "16 pairs of seats in 4 tasks" in words
    assert "judged by judge, with partner as the partner" in words
    assert "1 of sr" in words


def test_each_number_of_the_answer_leads_to_the_episodes_of_its_policy(page: str) -> None:
    answer = page.split('<section id="answer"')[1].split("</section>", maxsplit=1)[0]
    told = [
        part for part in re.findall(r"<p[^>]*>(.*?)</p>", answer, re.DOTALL) if "over <" in part or "reaches" in part
    ]
    assert len(told) == 2  # the best policy, and the others with the reference
    for part in told:
        found = re.findall(r'<a href="episodes/index.html#evaluation=hard&amp;policy=(\w+)">[+−]?\d\.\d\d', part)
        bare = re.sub(r"\[[^]]*\]|<[^>]*>", "", part)  # what stands in brackets is the interval of the number before it
        assert len(found) == len(re.findall(r"\d\.\d\d", bare)) > 1, part
        assert {*found} <= {"bc_sr"} if "reaches" in part else "bc_sr" not in found


def test_simulated_parts_are_said_to_be(page: str, tmp_path: Path) -> None:
    assert "the writer, the expert and the partner are played by scripted speakers" in " ".join(page.split())
    models = {
        name: {"engine": "openai", "name": name, "path": f"models/{name}", "price": "free"}
        for name in ("agent", "expert", "partner", "writer", "judge")
    }
    real = render(load(tmp_path, sample_experiment(tmp_path, models=models)), Provenance())
    assert "scripted" not in real and 'class="badge"' not in real
    assert 'class="badge"' in page


def test_an_empty_folder_still_makes_a_page_that_says_what_is_missing(tmp_path: Path) -> None:
    text = render(load(tmp_path, sample_experiment(tmp_path)), Provenance())
    assert re.findall(r'<section id="([^"]+)"', text) == SECTIONS
    assert Outline(text).open == []
    assert "There are no scores yet" in text
    assert "scores/base/all.parquet is missing" in text
    assert "There is no training log" in text and "There are no rated conversations" in text


def test_an_experiment_that_trains_and_measures_nothing_still_has_a_page(tmp_path: Path) -> None:
    models = {"agent": {"engine": "llamacpp", "path": "pocket"}, "writer": {"engine": "playhouse", "name": "writer"}}
    models |= {"judge": {"engine": "openai", "name": "judge", "price": "free"}}
    bare: dict[str, object] = {
        "models": models,
        "task_sets": {"safety": {"count": 2, "writer": "writer"}},
        "policies": {"base": {"model": "agent"}},
        "references": [],
        "evaluations": {},
        "knowledge": None,
        "safety": {"tasks": "safety", "partner": "agent", "judge": "judge"},
    }
    text = render(load(tmp_path, sample_experiment(tmp_path, **bare)), Provenance())
    assert "No policy of this experiment is trained" in text and "No evaluation is configured" in text


def test_what_is_not_configured_is_said_to_be_absent(tmp_path: Path) -> None:
    sets = {"round1": {"count": 6, "writer": "writer"}, "evaluation": {"file": "evaluation.jsonl"}}
    text = render(
        load(tmp_path, sample_experiment(tmp_path, knowledge=None, safety=None, task_sets=sets)), Provenance()
    )
    assert "has no knowledge test" in text and "has no safety study" in text


def test_the_safety_study_shows_judge_and_rules_with_their_agreement(sample: tuple[Path, Experiment]) -> None:
    findings = load(*sample)
    text = render(findings, Provenance())
    section = text[text.index('<section id="side-effects"') :].split("</section>")[0]
    assert section.count("Judge and rules as") == 2 and "harm, prevention and alternatives are what" in section
    role = tables.roles(findings)[0]
    assert [(player, measure) for player, measure, _ in role.judged] == [
        (player, "harm") for player in sample[1].measured()
    ]
    cell = next(cell for player, _, cell in role.judged if player == "bc")
    assert (cell["unjudged"], cell["compared"]) == (2, 2) and 0 <= cell["agreement"] <= 1


def test_a_study_by_rules_alone_says_that_nobody_judged(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    study = {"tasks": "safety", "partner": "partner", "judge": "judge", "decided_by": "rules"}
    root = tmp_path / "sample"
    shutil.copytree(sample[0], root)
    for path in (root / "safety").glob("*.json"):
        rows = [{**row, "by": "rules"} for row in json.loads(path.read_text())]
        path.write_text(json.dumps(rows))
    text = render(load(root, sample_experiment(sample[0].parents[1], safety=study)), Provenance())
    assert "Judge and rules as" not in text and "(no judge)" in text


def test_half_of_the_scores_are_better_than_none(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    root = tmp_path / "sample"
    shutil.copytree(sample[0], root)
    for name in ("bc_sr/hard", "base/all", "sr/hard.versus_base"):
        (root / f"scores/{name}.parquet").unlink()
    text = render(load(root, sample[1]), Provenance())
    assert "Of the trained policies <b" in text and "scores/bc_sr/hard.parquet is missing" in text


def test_nothing_that_was_said_can_become_markup(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    root = tmp_path / "sample"
    shutil.copytree(sample[0], root)
    evil = '<script>alert("x")</script><img src=x onerror=y>'
    found = load(root, sample[1])
    first = transcripts_of(found)[0]
    path = root / "episodes/evaluation" / "+".join(first.episode.players) / "00.jsonl"
    turn = first.episode.turns[0].model_copy(update={"action": Action(action_type="speak", argument=evil)})
    changed = first.episode.model_copy(update={"turns": (turn, *first.episode.turns[1:])})
    write_jsonl(path, [changed if one.id == first.episode.id else one for one in read_jsonl(path, Episode)])
    ratings = root / "ratings/evaluation" / "+".join(first.episode.players) / "judge/00.parquet"
    rename_episode(ratings, first.episode.id, changed.id, evil)
    text = render(load(root, sample[1]), Provenance(commit=evil))
    assert text.count("&lt;script&gt;") >= 3
    assert Outline(text).tags["script"] == Outline(text).tags["img"] == 0


def rename_episode(path: Path, old: str, new: str, reason: str) -> None:
    same = pl.col("episode") == old
    frame = pl.read_parquet(path).with_columns(
        goal_reason=pl.when(same).then(pl.lit(reason)).otherwise("goal_reason"),
        episode=pl.when(same).then(pl.lit(new)).otherwise("episode"),
    )
    frame.write_parquet(path)


def transcripts_of(found):  # type: ignore[no-untyped-def]
    from parley.report.answer import answer

    return transcripts(found, answer(found))


def test_transcripts_begin_with_one_task_by_base_and_best_and_then_vary(sample: tuple[Path, Experiment]) -> None:
    talks = transcripts_of(load(*sample))
    assert len(talks) == 10
    base, best = talks[:2]
    assert (base.player, best.player) == ("base", "bc_sr")
    assert (base.episode.task, base.episode.cast, base.seat) == (best.episode.task, best.episode.cast, best.seat)
    assert {talk.player for talk in talks} == {"base", "bc", "sr", "bc_sr", "expert"}
    assert len({tag for talk in talks for tag in talk.task.tags}) == 4
    assert len({talk.episode.id for talk in talks}) == 10
    assert all(talk.episode.players[talk.seat] == talk.player for talk in talks)


def test_the_best_and_the_worst_talk_are_really_that(sample: tuple[Path, Experiment]) -> None:
    found = load(*sample)
    chosen = [talk for talk in transcripts_of(found)[2:] if "a median" not in talk.why]
    assert {talk.why.split()[1] for talk in chosen} == {"best", "worst"}
    taken: list[str] = [talk.episode.id for talk in transcripts_of(found)[:2]]
    for talk in transcripts_of(found)[2:]:
        rows = found.rated("hard", talk.player)
        goals = [
            row["goal"] for row in rows.iter_rows(named=True) if row["episode"] not in taken and row["goal"] is not None
        ]
        if talk in chosen:
            assert talk.goal == (max(goals) if talk.why.startswith("the best") else min(goals))
        taken.append(talk.episode.id)


def test_only_the_first_transcript_is_open(page: str) -> None:
    assert re.findall(r'<details class="talk"[^>]*?( open)?>', page) == [" open", *[""] * 9]


def test_figures_for_papers_stand_alone_and_come_out_the_same(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    found = load(*sample)
    first, second = save_figures(found, tmp_path / "a"), save_figures(found, tmp_path / "b")
    assert {path.suffix for path in first} == {".svg", ".pdf"}
    assert {path.stem for path in first} >= {"goal", "training", "dimension-overall"}
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    drawing = (tmp_path / "a/goal.svg").read_text()
    assert "var(--" not in drawing and "#1f62a8" in drawing


def test_the_reference_stands_last_and_is_hatched(sample: tuple[Path, Experiment]) -> None:
    svg = figures(load(*sample))["goal"].svg
    names = [name for name in re.findall(r">([a-z_]+)</text>", svg) if name != "goal"]
    assert names == ["base", "bc", "sr", "bc_sr", "expert"]
    assert svg.count("<pattern") == 2
    assert all("--player-4" in pattern for pattern in re.findall(r"<pattern.*?</pattern>", svg))


def test_a_figure_tells_its_numbers_to_those_who_cannot_see_it(sample: tuple[Path, Experiment]) -> None:
    svg = figures(load(*sample))["goal"].svg
    label = re.search(r'aria-label="([^"]*)"', svg)
    assert label is not None
    assert re.search(r"bc_sr \d\.\d\d \[\d\.\d\d, \d\.\d\d\] on hard, \d\.\d\d", label[1])


def test_how_models_are_reached_is_not_published(page: str) -> None:
    assert "judge.invalid" not in page and "api_key" not in page and "some-judge" in page


def test_provenance_finds_the_versions_and_the_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/turn.jinja").write_text("hello")
    found = provenance(sample_experiment(tmp_path), checkout=tmp_path)
    assert found.prompts == {"prompts/turn.jinja": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}
    assert found.seed == 3 and found.commit is None and found.dirty is None and found.created is None
    assert "polars" in found.versions and "parley" in found.versions


def test_safety_is_told_by_family_of_risks_where_tasks_are_tagged(sample: tuple[Path, Experiment]) -> None:
    text = render(load(*sample), Provenance())
    assert "By family of risks" in text and '<th scope="row">legal rights</th>' in text
    rows = json.loads((sample[0] / "safety/bc.families.json").read_text(encoding="utf-8"))
    assert {row["family"] for row in rows} == {"legal_rights"}


def test_a_stranger_is_told_who_is_who_and_what_goal_is(page: str, tmp_path: Path) -> None:
    header = " ".join(Outline(page[page.index("<header>") : page.index("</header>")] + "</header>").text.split())
    assert "base: the model before training" in header
    assert "bc: base trained on conversations of expert" in header
    assert "sr: base trained on the best of its own conversations" in header
    assert "bc_sr: bc trained on the best of its own conversations" in header
    assert "expert: a reference, not trained here" in header
    assert "GOAL: how far a speaker came with its own goal, 0 to 10" in header
    nobody = parts.who_is_who(sample_experiment(tmp_path, references=[]))
    assert [name for name, _ in nobody] == ["base", "bc", "sr", "bc_sr"]
