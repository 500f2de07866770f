"""Where an experiment's files lie, which of them each step needs, and everything of a kind."""

from parley.layout.targets import DATASET, DRAWN, FORMS, TABLES, Layout

__all__ = ["DATASET", "DRAWN", "FORMS", "TABLES", "Layout"]
