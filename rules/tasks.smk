# keywords → tasks, and tasks → shards with casts.
#
# When a job fails, Snakemake puts back what the job would have updated and forgets what it was made with: it counts as
# up to date then. So each of these jobs has a second output, which is taken away, and which those behind it ask for.


rule tasks:
    input:
        paths.all_tasks(),


rule write:
    input:
        keywords=here([experiment.world.keywords]),
        known=here([entry.file for entry in experiment.task_sets.values() if entry.file]),
        prompts=here([experiment.prompts.task, experiment.prompts.retry]),
    output:
        tasks=update(f"{results}/tasks/{{task_set}}/written.jsonl"),
        funnel=f"{results}/tasks/{{task_set}}/written.funnel.json",
        usage=f"{results}/usage/tasks/{{task_set}}.json",
    log:
        f"{results}/logs/tasks/{{task_set}}.log",
    benchmark:
        f"{results}/timings/tasks/{{task_set}}.tsv"
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: cores_for([writer_of(wildcards)]) - waits(writer_of(wildcards))
    resources:
        mem_mb=lambda wildcards, attempt: memory(700, attempt, [writer_of(wildcards)]),
        runtime=lambda wildcards, attempt: (
            minutes(experiment.task_sets[wildcards.task_set].count, attempt, [writer_of(wildcards)])
            + longest_wait(writer_of(wildcards))
        ),
        cpus_per_task=lambda wildcards: cores_for([writer_of(wildcards)]),
        waiting=lambda wildcards: waits(writer_of(wildcards)),
        gpu=lambda wildcards: gpus_for([writer_of(wildcards)]),
    params:
        cfg=lambda wildcards: staleness.tasks(experiment, wildcards.task_set),
        code=code_hash("tasks"),
        experiment=paths.resolved,
    message:
        "write tasks: {wildcards.task_set}"
    shell:
        "python $PARLEY/scripts/tasks.py --experiment {params.experiment} --task-set {wildcards.task_set} "
        "--ledger ledger/tasks/{wildcards.task_set}.sqlite --usage {output.usage} --out {output.tasks} "
        "--funnel {output.funnel} --log {log}"


rule cast:
    input:
        tasks=lambda wildcards: here([paths.source(wildcards.task_set)]),
        funnel=lambda wildcards: paths.funnel(wildcards.task_set),
        characters=here([experiment.world.characters]),
        relationships=here([experiment.world.relationships]),
    output:
        tasks=update(f"{results}/tasks/{{task_set}}/{{shard}}.jsonl"),
        summary=f"{results}/tasks/{{task_set}}/{{shard}}.casts.json",
    log:
        f"{results}/logs/casts/{{task_set}}/{{shard}}.log",
    benchmark:
        f"{results}/timings/casts/{{task_set}}/{{shard}}.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.casts(experiment, wildcards.task_set),
        code=code_hash("casts"),
        experiment=paths.resolved,
    message:
        "cast tasks: {wildcards.task_set} {wildcards.shard}"
    shell:
        "python $PARLEY/scripts/casts.py --experiment {params.experiment} --task-set {wildcards.task_set} "
        "--shard {wildcards.shard} --tasks {input.tasks} --out {output.tasks} --summary {output.summary} --log {log}"
