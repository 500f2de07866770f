"""Inputs: every file that the report is made of. The rule that makes it asks here."""

from pathlib import Path

from parley.layout import TABLES, Layout


def reads(layout: Layout) -> dict[str, list[str]]:
    """What the page and its transcripts are made of, by kind: files that rules make or that the config names."""
    people = layout.people()
    return {
        "scores": layout.all_scores(),
        "side_effects": layout.side_effects(),
        "seats": layout.all_seats(),
        "tables": [layout.table(name) for name in TABLES],
        "knowledge": layout.all_knowledge_versus(),
        "episodes": layout.all_episodes(),
        "ratings": layout.all_ratings(),
        "people": [people] if people else [],
        "policies": layout.all_policies(),
        "selections": layout.all_selections(),
        "usage": layout.all_usage(),
        "tasks": layout.all_tasks(),
        "characters": [layout.experiment.world.characters],
        "templates": layout.report_templates(),
    }


def reads_if_there(layout: Layout) -> dict[str, list[str]]:
    """Studies that not every experiment has: they are shown where their files lie, and where not the page says so."""
    judges = dict.fromkeys(judge for _, _, judge in layout.plays())
    return {
        "people": [rated_by_people(layout)],
        "calibration": [calibration(layout), calibrated_gains(layout), agreement(layout)],
        "judges": [judges_of(layout, evaluation) for evaluation in layout.experiment.evaluations],
        "canaries": [canary(layout, judge) for judge in judges],
    }


def rated_by_people(layout: Layout) -> str:
    """The marks and reasons of people: the file that the config names, or the study's own."""
    return layout.people() or f"{layout.results}/human/ratings.parquet"


def calibration(layout: Layout) -> str:
    """Means as people would give them, estimated from their ratings and the judge's."""
    return f"{layout.results}/human/calibration.parquet"


def calibrated_gains(layout: Layout) -> str:
    """The same for differences to the base policy."""
    return f"{layout.results}/human/calibration.versus_{layout.baseline}.parquet"


def agreement(layout: Layout) -> str:
    """How far people agree with each other and with the judge."""
    return f"{layout.results}/human/agreement.json"


def judges_of(layout: Layout, evaluation: str) -> str:
    """How far the judges of an evaluation agree, and what else than the talk moves them."""
    return f"{layout.results}/judges/{evaluation}.json"


def canary(layout: Layout, judge: str) -> str:
    """Whether a judge still rates the same episodes as it did."""
    return f"{layout.results}/canary/{judge}.json"


def there(path: str | Path) -> bool:
    """Whether a file that may be missing is there."""
    return Path(path).is_file()
