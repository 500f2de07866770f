"""The experiment as typed objects: models, task sets, policies, evaluations.

The JSON schema and the table in `docs/configuration.md` are generated from these classes (`parley.reference`).
"""

from parley.config.experiment import Experiment
from parley.config.human import Human
from parley.config.learning import LearnsFrom, Policy, Rule, Selection, Training
from parley.config.model import Batch, Budget, Model
from parley.config.names import Name, Seats
from parley.config.published import Published
from parley.config.reading import check, load
from parley.config.studies import Canary, Evaluation, Knowledge, Safety
from parley.config.world import Play, Prompts, TaskSet, World

__all__ = [
    "Batch", "Budget", "Canary", "Evaluation", "Experiment", "Human", "Knowledge", "LearnsFrom", "Model", "Name", "Play",
    "Policy",
    "Prompts", "Published", "Rule", "Safety", "Seats", "Selection", "TaskSet", "Training", "World", "check", "load",
]  # fmt: skip
