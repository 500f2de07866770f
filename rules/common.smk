# What all rules share: the checked experiment, the paths of its files, and the functions that name inputs.
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

from parley import cutoff, layout, staleness
from parley import resources as needs
from parley.code import code_hash
from parley.config import check
from parley.errors import ParleyError
from parley.lock import hold
from parley.present import check_files
from parley.records.published import sweep

try:
    experiment = check(dict(config), "config")
    paths = layout.Layout(experiment)
except ParleyError as error:
    sys.exit(f"error: {error}")

# Where the jobs of one run share a budget. Jobs on other machines start a Snakemake of their own, which finds the name
# in its environment; a name that is set already lets several runs share one budget.
purse = os.environ.setdefault("PARLEY_PURSE", os.path.abspath(f".parley/purse/{time.time_ns()}-{os.getpid()}"))

# Snakemake gives MKL as many threads as a job has cores, torch follows MKL, and sums in another number of threads round
# otherwise: the same training would have other bytes on another machine.
math_threads = os.getenv("OMP_NUM_THREADS", "1")

# Jobs run with this interpreter, or with that of their conda environment where Snakemake is told to make one, and with this
# package, wherever Snakemake was started. A prefix is not part of what Snakemake
# remembers of a job, so that moving the checkout makes nothing stale. No job outlives its run.
own_path = f"'{os.path.dirname(sys.executable)}':$PATH"
if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    own_path = "$PATH"
shell.prefix(
    f"set -euo pipefail; export PATH={own_path} PARLEY='{workflow.basedir}'; "
    f"export PYTHONPATH=$PARLEY PARLEY_PURSE='{purse}' PARLEY_RUN={os.getpid()}; "
    f"export OMP_NUM_THREADS={math_threads} MKL_NUM_THREADS={math_threads} TOKENIZERS_PARALLELISM=false; "
)

results = paths.results
report_page = paths.report


wildcard_constraints:
    task_set="[a-z][a-z0-9_]*",
    shard=r"\d+",
    players=r"[a-z][a-z0-9_]*\+[a-z][a-z0-9_]*",
    player="[a-z][a-z0-9_]*",
    policy="[a-z][a-z0-9_]*",
    judge="[a-z][a-z0-9_]*",
    evaluation="[a-z][a-z0-9_]*",
    table="(table|figure)_[0-9]+",


def seats(wildcards):
    """The two players of a `players` wildcard, in seat order."""
    first, second = wildcards.players.split("+")
    return first, second


# Results may lie in storage, such as a bucket (--default-storage-provider). Snakemake then brings along what a job names
# as input and nothing else, and a job finds it at the path that it is given. Without storage these say nothing new.
in_storage = workflow.storage_settings.default_storage_provider is not None


def here(files):
    """Inputs, of which those that no rule of an experiment makes lie in the working directory, wherever results lie."""
    return [file if file.startswith(f"{results}/") else local(file) for file in files] if in_storage else files


def brought(files):
    """What a job reads beside the small files that stand for it: inputs too, where it would not be there otherwise."""
    return files if in_storage else []


def folders_of(players):
    """The folders of the adapters that these players speak with, where they have to be brought along."""
    return brought([paths.policy(name) for name in paths.trained(players)])


def adapters_of(players, folders):
    """The `--adapter` options of a job in which these players speak; `folders` are those that were brought along."""
    names = paths.trained(players)
    found = zip(names, folders or map(paths.policy, names), strict=True)
    return " ".join(f"--adapter {name}={folder}" for name, folder in found)


def adapters_for(names):
    """The param with those options, where `names` gives the players from the wildcards.

    Snakemake remembers no param that is made from inputs, so without storage it is made from the wildcards alone.
    """
    if in_storage:
        return lambda wildcards, input: adapters_of(names(wildcards), input.adapters)
    return lambda wildcards: adapters_of(names(wildcards), [])


# What jobs are given. These are functions of the models of a job, of its inputs and of the attempt, and never params:
# what a job is given makes nothing stale.


def served(names):
    """The models that answer for these players, writers or judges."""
    return [experiment.model_of(name) for name in names if name is not None]


def gpus_for(names):
    """GPUs of a job that serves these."""
    return needs.gpus(served(names))


def cores_for(names):
    """Cores of a job that serves these."""
    return needs.cpus(served(names))


def memory(own, attempt, names=()):
    """MB of a job that serves these and takes `own` itself."""
    return needs.grown(needs.serving(served(names), own), attempt)


def minutes(calls, attempt, names):
    """Minutes of a job that makes so many calls of these, all of them live."""
    return needs.grown(needs.asking(calls, served(names)), attempt)


def turns(casts):
    """The most calls of a job that plays this many casts."""
    return casts * experiment.play.replicates * experiment.play.max_turns


def waits(name):
    """1 if a job that asks this model mostly waits for a batch, 0 if its calls are live."""
    return int(name is not None and experiment.model_of(name).batch is not None)


def longest_wait(name):
    """Minutes of the longest wait for a batch of this model."""
    return sum(map(needs.waiting, served([name])))


def annotators():
    """The model that plays the raters; none where people rate."""
    return [experiment.human.simulated_by] if experiment.human and experiment.human.simulated_by else []


def writer_of(wildcards):
    """The model that writes a task set."""
    return experiment.task_sets[wildcards.task_set].writer


def hold_results():
    """Keep a second run off the same results, in one clear line; then tidy them and publish the config that scripts read."""
    try:
        if {job.rule.name for job in workflow.dag.needrun_jobs()} <= {"estimate", "estimate_jobs", "power", "status"}:
            paths.publish(draft=True)  # looking ahead disturbs no run
            return
        hold(results)
        sweep(Path(results))
        paths.publish()
    except ParleyError as error:
        sys.exit(f"error: {error}")
