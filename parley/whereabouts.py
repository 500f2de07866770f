"""Where a script finds what it reads besides its arguments: beside what it writes."""

from pathlib import Path

from parley.config import Experiment
from parley.layout import Layout


def layout_beside(out: Path, experiment: Experiment) -> Layout:
    """The layout of the results that the file `out` belongs to.

    They are in the working directory, unless Snakemake keeps results in storage: it brings a job's inputs to a folder
    of its own then, and has the outputs written there. A file that lies elsewhere belongs to those in the working
    directory.
    """
    for folder in out.parents:
        if folder.name == experiment.experiment and folder.parent.name == "results":
            return Layout(experiment, str(folder.parent))
    return Layout(experiment)
