"""Inputs: every file that the report is made of. The rule that makes it asks here."""

from pathlib import Path

from parley.layout import TABLES, Layout


def reads(layout: Layout) -> dict[str, list[str]]:
    """What the page and its transcripts are made of, by kind: files that rules make or that the config names."""
    people = layout.people()
    return {
        "scores": layout.all_scores(),
        "judges": layout.all_judges(),
        "canaries": layout.all_canaries(),
        "calibration": layout.all_calibration(),
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


def rated_by_people(layout: Layout) -> str:
    """The marks and reasons of people: the file that the config names, or the study's own."""
    return layout.people() or f"{layout.results}/human/ratings.parquet"


def there(path: str | Path) -> bool:
    """Whether a file that may be missing is there."""
    return Path(path).is_file()
