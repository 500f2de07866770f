# What a run would do, why, and what it would cost. There is no output, so that it is made whenever it is asked for.


rule estimate:
    log:
        f"{results}/logs/estimate.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        experiment=paths.draft,
        checksum_limit=lambda wildcards: workflow.dag_settings.max_checksum_file_size,
        rows="",
    message:
        "look ahead"
    shell:
        "python $PARLEY/scripts/estimate.py --experiment {params.experiment} "
        "--checksum-limit {params.checksum_limit} {params.rows} --log {log}"


# The same with a line for every job.
use rule estimate as estimate_jobs with:
    log:
        f"{results}/logs/estimate_jobs.log",
    params:
        experiment=paths.draft,
        checksum_limit=lambda wildcards: workflow.dag_settings.max_checksum_file_size,
        rows="--verbose",
