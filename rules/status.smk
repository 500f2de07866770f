# How far an experiment is, from its files and ledgers. There is no output, so that it is made whenever it is asked for.


rule status:
    log:
        f"{results}/logs/status.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
        gpu=0,
    params:
        experiment=paths.draft,
    message:
        "look how far it is"
    shell:
        "python -m parley.status --experiment {params.experiment} | tee {log}"
