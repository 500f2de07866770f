"""Early cut-off: a job that writes the same bytes as before takes back the jobs that were to run because of it.

Snakemake plans once. Whatever stands behind a stale job is planned to run, since what that job will write is not known
yet. When it has written what was there before, nothing behind it needs to run, but Snakemake goes on by its plan. `watch`
makes it plan again at that moment; all else (what is stale, and why) stays Snakemake's own judgement by content.

The plan only ever shrinks, so that `snakemake -n` shows the most that may run. This leans on the inside of Snakemake's
DAG, which is why the version is pinned; `tests/fuzz.py` compares it with clean builds.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Say = Callable[[str], None]


def watch(dag: Any, say: Say) -> None:
    """From now on let `dag`, a planned `snakemake.dag.DAG`, plan again when a job's output is what it was.

    `say` gets one line each time that jobs are taken back. To be called once, before the first job runs.
    """
    watcher = _Watcher(dag, say)
    dag.finish = watcher.finish


class _Watcher:
    def __init__(self, dag: Any, say: Say) -> None:
        self._dag = dag
        self._say = say
        self._finish: Callable[..., Awaitable[bool]] = dag.finish

    async def finish(self, job: Any, update_checkpoint_dependencies: bool = True) -> bool:
        """Take `job` (or a group of jobs) as finished. True if other jobs may have become ready."""
        ready = await self._finish(job, update_checkpoint_dependencies)
        members = list(job) if job.is_group() else [job]
        same = sorted([str(file) for member in members for file in await self._as_known(member)])
        if not same:
            return ready
        planned = set(self._dag.needrun_jobs())
        await self._plan_again()
        if spared := planned - set(self._dag.needrun_jobs()):
            verb = "is what it was" if len(same) == 1 else "are what they were"
            self._say(f"{' and '.join(same)} {verb}: {_counted(spared)} not needed.")
        return True

    async def _as_known(self, job: Any) -> list[Any]:
        """The outputs of `job` that a job waiting for them has read before with the same content."""
        found = []
        for waiting, files in self._dag.depending[job].items():
            if self._dag.needrun(waiting) and not self._dag.finished(waiting):
                found += [file for file in files if file not in found and await self._known(waiting, file)]
        return found

    async def _known(self, job: Any, file: Any) -> bool:
        recorded = self._dag.workflow.persistence.input_checksums(job, file)
        if len(recorded) != 1 or (checksum := recorded.pop()) is None:
            return False
        return bool(await file.is_same_checksum(checksum, self._dag.max_checksum_file_size))

    async def _plan_again(self) -> None:
        # A reason outlives a planning: unless it is forgotten, "updated by another job" stays true for ever.
        for job in self._dag.jobs:
            if not self._dag.finished(job) and not self._dag.is_running(job):
                self._dag.reason(job).clear()
        await self._dag.postprocess_after_update()


def _counted(jobs: Iterable[Any]) -> str:
    """How many jobs of which rules, in words."""
    names = [job.rule.name for job in jobs]
    parts = [f"{names.count(name)} {name}" for name in sorted(set(names))]
    return f"{', '.join(parts)} {'is' if len(names) == 1 else 'are'}"
