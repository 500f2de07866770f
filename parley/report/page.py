"""The page: findings and provenance as one HTML file that needs nothing else, no network and no script."""

from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from parley.config import Experiment
from parley.report import effort, known, lineage, links, parts, people, tables, words
from parley.report.answer import answer, headline
from parley.report.bench import traits
from parley.report.failures import failures
from parley.report.figures import figures
from parley.report.findings import Findings, layout_of
from parley.report.gap import gap_on_page, legend
from parley.report.palette import stylesheet, variable
from parley.report.provenance import Provenance
from parley.report.sheets import sheet
from parley.report.transcripts import transcripts
from parley.report.verdict import verdict

__all__ = ["headline", "render"]

TEMPLATES = Path(__file__).parent / "templates"
#: The sections in their order, as the navigation names them.
SECTIONS = (
    ("answer", "Answer"),
    ("people", "People"),
    ("scores", "Scores"),
    ("dimensions", "Dimensions"),
    ("learning", "Learning"),
    ("side-effects", "Side effects"),
    ("tables", "Tables"),
    ("transcripts", "Conversations"),
    ("effort", "Effort"),
    ("failures", "Failures"),
    ("lineage", "Lineage"),
    ("provenance", "Provenance"),
)
#: How a model is reached is nobody's business but its user's, and makes no result.
_REACH = {"base_url", "api_key_env", "concurrency", "timeout"}


def render(findings: Findings, provenance: Provenance) -> str:
    """The whole page. The same arguments give the same text; what is missing is said where it would stand."""
    found, experiment = answer(findings), findings.experiment
    evaluations = [findings.main, *(name for name in experiment.evaluations if name != findings.main)]
    judged = traits(findings)
    efforts, gap_cells = effort.efforts(findings), findings.tables.get("figure_4")
    study = experiment.human
    nobody = bool(findings.agreement.get("simulated") or (study is not None and study.simulated_by))
    page = _environment(experiment).get_template("page.html.jinja")
    return page.render(
        experiment=experiment,
        provenance=provenance,
        gaps=findings.gaps,
        sections=SECTIONS,
        answer=found,
        verdict=verdict(findings, found),
        traits=judged,
        agreement=findings.agreement,
        agreed=people.agreement_rows(findings.agreement, [(key, short) for key, short, _ in tables.COLUMNS]),
        lineage=lineage.graph(lineage.nodes(layout_of(findings.root, experiment), nobody)),
        baseline=findings.baseline,
        figures=figures(findings),
        columns=tables.COLUMNS,
        evaluations=[tables.evaluated(findings, name) for name in evaluations if name is not None],
        selected=[tables.selected(findings, name) for name in experiment.policies if experiment.trained(name)],
        written=[tables.written(findings, name) for name in experiment.task_sets],
        manifests=findings.manifests,
        known=known.ways(findings),
        limits=known.limits(findings),
        chance=next((result["chance"] for result in findings.knowledge.values()), None),
        knowledge=findings.knowledge,
        roles=tables.roles(findings),
        families=tables.families(findings),
        by_family=tables.BY_FAMILY,
        sheets=[sheet(name, cells, experiment) for name, cells in findings.tables.items()],
        gap=gap_on_page(gap_cells, experiment) if gap_cells is not None else None,
        gap_legend=legend(gap_cells) if gap_cells is not None else [],
        efforts=efforts,
        spent=effort.spent(efforts),
        jobs=effort.jobs(findings),
        failures=failures(findings),
        transcripts=transcripts(findings, found),
        parts=parts.parts_played(findings),
        simulated=parts.simulated(findings),
        who=parts.who_is_who(experiment),
        config=_config(experiment),
    )


def _environment(experiment: Experiment) -> Environment:
    """Templates that escape everything that they are given, with the page's words for numbers and names."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    places = {name: place for place, name in enumerate(experiment.measured())}
    environment.filters.update(
        {name: getattr(words, name) for name in _WORDS}, player=lambda name: _player(name, places)
    )
    environment.tests["match"] = lambda name, start: str(name).startswith(start)
    environment.globals.update(
        css=Markup(stylesheet() + (TEMPLATES / "style.css").read_text(encoding="utf-8")),
        svg=Markup,
        interval=words.interval,
        fixed=words.fixed,
        signed=words.signed,
        to=links.episodes,
        file=links.file,
        things=words.things,
        colour=lambda name: f"var({variable(places[name])})" if name in places else "var(--quiet)",
    )
    return environment


_WORDS = ("fixed", "signed", "p_value", "count", "percent", "duration", "listed")


def _player(name: str, places: dict[str, int]) -> Markup:
    """A player's name in its colour, the same everywhere; other names in the page's ink."""
    style = f' style="color: var({variable(places[name])})"' if name in places else ""
    return Markup('<b class="player"{}>{}</b>').format(Markup(style), escape(name))


def _config(experiment: Experiment) -> str:
    """The resolved config as YAML, without how models are reached."""
    shown: dict[str, Any] = experiment.model_dump(mode="json")
    for model in shown["models"].values():
        for name in _REACH:
            model.pop(name, None)
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)
