# What each evaluation could find with the tasks that are planned. No output, so that it is told whenever it is asked for.


rule power:
    log:
        f"{results}/logs/power.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        experiment=paths.draft,
    message:
        "what could be found"
    shell:
        "python $PARLEY/scripts/power.py --experiment {params.experiment} --log {log}"
