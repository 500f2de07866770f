"""The plan: which jobs a run would start, and why, as Snakemake sees it."""

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.errors import ParleyError


@dataclass(frozen=True)
class Job:
    """A job that a run would start.

    `reasons` say in words why; `own` is False if the only one is that a job before it runs: if that job then writes
    what is there already, nothing new comes of this one either.
    """

    rule: str
    wildcards: Mapping[str, str]
    reasons: tuple[str, ...]
    own: bool = True
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def group(self) -> tuple[str, str]:
        """The rule, and the wildcards without the shard: what a person thinks of as one thing."""
        return self.rule, " ".join(value for name, value in self.wildcards.items() if name != "shard")


def plan(snakefile: Path, config: Path, targets: Sequence[str], checksum_limit: int) -> list[Job]:
    """The jobs that `snakemake TARGETS` would start here with this config, each after those that it needs.

    Nothing is run, locked or written. Files up to `checksum_limit` bytes are compared by content. Raises `ParleyError`
    with Snakemake's last line if it cannot plan.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings import types

    output = types.OutputSettings(quiet={types.Quietness.ALL}, dryrun=True, enable_file_logging=False)
    with _muted() as said:
        try:
            with SnakemakeApi(output) as api:
                workflow = api.workflow(
                    resource_settings=types.ResourceSettings(cores=1),
                    config_settings=types.ConfigSettings(configfiles=[config.absolute()]),
                    snakefile=snakefile,
                    workdir=Path.cwd(),
                )
                dag_api = workflow.dag(
                    types.DAGSettings(
                        targets=frozenset(targets), force_incomplete=True, max_checksum_file_size=checksum_limit
                    )
                )
                dag_api.execute_workflow(executor="dryrun")
                dag = workflow._workflow.dag
                wanted = set(dag.needrun_jobs(exclude_finished=False))
                ordered = [job for level in dag.toposorted(wanted) for job in sorted(level, key=_name)]
                # A rule without output only gathers targets.
                return [_job(job, dag.reason(job)) for job in ordered if job.output]
        except Exception as error:
            lines = [*said(), str(error)]
            raise ParleyError(f"the workflow cannot be planned: {_last(lines)}; see `snakemake -n`") from error


def _name(job: Any) -> tuple[str, list[tuple[str, str]]]:
    return job.rule.name, sorted(job.wildcards_dict.items())


def _job(job: Any, reason: Any) -> Job:
    words, own = _why(reason)
    wildcards = {str(name): str(value) for name, value in job.wildcards_dict.items()}
    return Job(
        rule=str(job.rule.name),
        wildcards=wildcards,
        reasons=tuple(words),
        own=own,
        inputs=tuple(map(str, job.input)),
        outputs=tuple(map(str, job.output)),
    )


def _why(reason: Any) -> tuple[list[str], bool]:
    """The reasons in words, and whether there is one besides that a job before this one runs."""
    words = []
    if reason.missing_output:
        words.append("not there yet")
    if reason.incomplete_output:
        words.append("left unfinished")
    if reason.updated_input:
        words.append(f"changed: {_files(reason.updated_input)}")
    if reason.input_changed:
        words.append("other inputs than before")
    if reason.params_changed:
        words.append(settings_changed(reason.params_changed.only_old, reason.params_changed.only_new))
    if reason.code_changed or reason.software_stack_changed:
        words.append("the rule changed")
    if reason.forced:
        words.append("forced")
    own = bool(words)
    if not own and reason.updated_input_run:
        words.append(f"only if {_files(reason.updated_input_run)} changes")
    return words or ["always"], own


def _files(paths: Iterable[object], most: int = 2) -> str:
    """File names as a person looks for them: the first few, below results/{experiment}/."""
    names = sorted({"/".join(Path(str(path)).parts[2:]) or str(path) for path in paths})
    names = [name if str(name) else "?" for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def settings_changed(old: Iterable[object], new: Iterable[object]) -> str:
    """What changed in a rule's params: the code, or which settings, by their dotted path."""
    before, after = (_settings(side) for side in (old, new))
    if before is None or after is None:
        return "code changed"
    paths = sorted(_differing(before, after))
    if not paths:
        return "settings changed"
    return f"settings changed: {', '.join(paths[:3])}" + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _settings(params: Iterable[object]) -> Any:
    """The one param that is canonical JSON; Snakemake keeps params as their reprs."""
    for param in params:
        text = str(param).strip("'")
        if text.startswith("{"):
            try:
                return json.loads(text.encode().decode("unicode_escape") if "\\" in text else text)
            except ValueError:
                return {}
    return None


def _differing(before: Any, after: Any, path: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {*before, *after}:
            yield from _differing(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield path


@contextmanager
def _muted() -> Iterator[Any]:
    """Keep what Snakemake prints off the terminal; gives a function that returns its lines so far."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+") as file:
        kept = [os.dup(number) for number in (1, 2)]
        for number in (1, 2):
            os.dup2(file.fileno(), number)

        def said() -> list[str]:
            file.seek(0)
            return file.read().splitlines()

        try:
            yield said
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)


def _last(lines: Sequence[str]) -> str:
    spoken = [line.strip() for line in lines if line.strip()]
    return spoken[-1] if spoken else "no reason was given"
