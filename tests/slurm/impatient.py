"""Snakemake, whose SLURM executor looks at its jobs every second: waiting longer each time is for real clusters."""

import snakemake_executor_plugin_slurm as plugin  # type: ignore[import-not-found, unused-ignore]
from snakemake.cli import main

if __name__ == "__main__":
    plugin.Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
    main()
